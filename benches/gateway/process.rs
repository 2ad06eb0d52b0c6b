//! Processes under test: starts them, reads their CPU time and memory from /proc, stops them. Sends no load.

use std::env;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The argument that makes this program the bare proxy.
pub const BARE_PROXY: &str = "bare-proxy";

/// A child process with a listener. Stopped when dropped.
pub struct Server {
    pub address: SocketAddr,
    child: Child,
}

impl Server {
    pub fn bare_proxy(upstream: SocketAddr, folder: &Path) -> io::Result<Self> {
        let address = free_address()?;
        let mut command = clean(Command::new(env::current_exe()?));
        command.args([BARE_PROXY.to_owned(), address.to_string(), upstream.to_string()]);
        Server::start("bare_proxy", command, address, folder)
    }

    /// Every guard on at level medium, an upstream key, the audit log in a file: as it would run.
    pub fn gateway(upstream: SocketAddr, folder: &Path) -> io::Result<Self> {
        let (address, admin) = (free_address()?, free_address()?);
        let config = folder.join("promptgate.toml");
        let audit = folder.join("audit.jsonl");
        let text = format!(
            "[gateway]\nlisten = \"{address}\"\n\n[admin]\nlisten = \"{admin}\"\n\n[security]\nlevel = \"medium\"\n\n\
             [audit]\npath = \"{}\"\n\n[log]\nlevel = \"warn\"\n\n\
             [[upstream]]\nname = \"openai\"\nurl = \"http://{upstream}\"\napi_key_env = \"BENCH_UPSTREAM_KEY\"\n",
            audit.display()
        );
        fs::write(&config, text)?;
        let mut command = clean(Command::new(env!("CARGO_BIN_EXE_promptgate")));
        command.arg("serve").arg("--config").arg(&config);
        command.env("BENCH_UPSTREAM_KEY", "bench-upstream-key-0123456789abcdef");
        Server::start("promptgate", command, address, folder)
    }

    fn start(name: &str, mut command: Command, address: SocketAddr, folder: &Path) -> io::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?).spawn()?;
        let mut server = Server { address, child };
        server.wait_until_listening().map_err(|error| {
            let said = fs::read_to_string(&log).unwrap_or_default();
            io::Error::new(error.kind(), format!("{name} does not listen on {address}: {error}\n{said}"))
        })?;
        Ok(server)
    }

    fn wait_until_listening(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("it ended with {status}")));
            }
            if Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// User and system time so far. The kernel counts it in hundredths of a second.
    pub fn cpu(&self) -> io::Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The second field is the name in brackets, which may hold anything; times are the 14th and 15th.
        let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
        let ticks =
            after.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().map_err(io::Error::other));
        Ok(Duration::from_millis(ticks.sum::<io::Result<u64>>()? * 10))
    }

    /// Megabytes in memory now (`VmRSS`) or at most (`VmHWM`).
    pub fn memory(&self, field: &str) -> io::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kilobytes.map(|kilobytes| kilobytes / 1024.0).ok_or_else(|| io::Error::other(format!("no {field}")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Variables of whoever runs the bench must not configure what it measures.
fn clean(mut command: Command) -> Command {
    command.env_clear();
    command
}

fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
