//! A process under test: starts it, reads its CPU time and memory from /proc, stops it. Knows no target and sends no load.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A child process with a listener. Stopped when dropped.
pub struct Server {
    pub address: SocketAddr,
    child: Child,
}

impl Server {
    /// Starts `line`, a program and its arguments, behind the words of `before`, and waits until it listens. Of the variables of
    /// whoever runs the bench it sees none but the search path: they must not configure what is measured.
    pub fn start(
        before: &[String],
        line: &[String],
        variables: &[(&str, &str)],
        address: SocketAddr,
        folder: &Path,
    ) -> io::Result<Self> {
        let words: Vec<&String> = before.iter().chain(line).collect();
        let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let log = folder.join(format!("{}.log", address.port()));
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.envs(variables.iter().copied());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?).spawn();
        let child = child.map_err(|error| io::Error::new(error.kind(), format!("{program}: {error}")))?;
        let mut server = Server { address, child };
        server.wait_until_listening().map_err(|error| {
            let said = fs::read_to_string(&log).unwrap_or_default();
            io::Error::new(error.kind(), format!("{} does not listen on {address}: {error}\n{said}", line[0]))
        })?;
        Ok(server)
    }

    fn wait_until_listening(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(120);
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

    /// User and system time so far, of its children too. The kernel counts it in hundredths of a second.
    pub fn cpu(&self) -> io::Result<Duration> {
        let ticks = self.family()?.into_iter().map(ticks);
        Ok(Duration::from_millis(ticks.sum::<io::Result<u64>>()? * 10))
    }

    /// Megabytes in memory now (`VmRSS`) or at most (`VmHWM`), its children's added.
    pub fn memory(&self, field: &str) -> io::Result<f64> {
        self.family()?.into_iter().map(|process| memory(process, field)).sum()
    }

    /// What `VmHWM` says from now on is of the time from now on.
    pub fn forget_peak(&self) -> io::Result<()> {
        self.family()?.into_iter().try_for_each(|process| fs::write(format!("/proc/{process}/clear_refs"), "5"))
    }

    /// The process and its children.
    fn family(&self) -> io::Result<Vec<u32>> {
        let id = self.child.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        let children = children.split_whitespace().map(|child| child.parse().map_err(io::Error::other));
        std::iter::once(Ok(id)).chain(children).collect()
    }
}

fn ticks(process: u32) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The second field is the name in brackets, which may hold anything; times are the 14th and 15th.
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    after.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().map_err(io::Error::other)).sum()
}

fn memory(process: u32, field: &str) -> io::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.map(|kilobytes| kilobytes / 1024.0).ok_or_else(|| io::Error::other(format!("no {field}")))
}

impl Drop for Server {
    /// Asks it to end, so that its children end too and a profiler around it writes what it saw; a child that does not is
    /// killed.
    fn drop(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        while asked.is_ok() && Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(5));
        }
        // It is gone already, or this is the end of it.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
