//! The gateway as operators run it: a process of its own on free ports, and what it wrote. Knows nothing of requests.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::http1::PATIENCE;

/// A running gateway, killed when dropped.
pub struct Gateway {
    pub address: SocketAddr,
    pub admin: SocketAddr,
    directory: PathBuf,
    child: Child,
    /// Kills the gateway when this process ends, however it ends: nobody drops a static.
    guard: Child,
}

/// How often something that has no way to call us is looked at.
const LOOK: Duration = Duration::from_millis(10);

impl Gateway {
    /// `config` is TOML beside `[gateway] listen`, `[admin]` and `[audit]`, which are made here; a table `[gateway.tls]`
    /// may be in it. `variables` are all the environment it gets. Files are not watched unless PROMPTGATE__RELOAD__WATCH says so.
    pub fn start(config: &str, variables: &[(&str, &str)]) -> Gateway {
        Gateway::start_until("/readyz", config, variables)
    }

    /// One that may never be ready, since something it needs is away.
    pub fn start_live(config: &str, variables: &[(&str, &str)]) -> Gateway {
        Gateway::start_until("/livez", config, variables)
    }

    /// One whose admin listener cannot be asked in the clear: it is there when both listeners are.
    pub fn start_unasked(config: &str, variables: &[(&str, &str)]) -> Gateway {
        Gateway::start_until("", config, variables)
    }

    fn start_until(probe: &str, config: &str, variables: &[(&str, &str)]) -> Gateway {
        // A free port may be taken by somebody else before the gateway binds it.
        let start = || Gateway::try_start(probe, config, variables, None);
        let started = (0..5).find_map(|_| start().ok());
        started.unwrap_or_else(|| panic!("{}", start().err().unwrap_or_default()))
    }

    /// One that is handed its listening sockets, the gateway's and the admin listener's, which this process keeps.
    pub fn start_with(sockets: &[TcpListener; 2], config: &str, variables: &[(&str, &str)]) -> Gateway {
        let started = Gateway::try_start("/readyz", config, variables, Some((sockets, Path::new(BINARY))));
        started.unwrap_or_else(|error| panic!("{error}"))
    }

    /// One more of these sockets, of this binary, which cannot be asked whether it is ready: the other might answer. It has come so far as to
    /// open its audit log, after all that can fail.
    pub async fn start_beside(sockets: &[TcpListener; 2], binary: &Path, config: &str) -> Gateway {
        let started = Gateway::try_start("", config, &[], Some((sockets, binary)));
        let gateway = started.unwrap_or_else(|error| panic!("{error}"));
        let deadline = Instant::now() + PATIENCE;
        while !gateway.directory.join("audit.jsonl").exists() {
            assert!(Instant::now() < deadline, "{}", gateway.stderr());
            tokio::time::sleep(LOOK).await;
        }
        gateway
    }

    fn try_start(
        probe: &str,
        config: &str,
        variables: &[(&str, &str)],
        handed: Option<(&[TcpListener; 2], &Path)>,
    ) -> Result<Gateway, String> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("promptgate-gateway-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir(&directory).expect("a directory for what the gateway writes");
        let [address, admin] = match handed {
            Some((sockets, _)) => [&sockets[0], &sockets[1]].map(|socket| socket.local_addr().expect("its address")),
            None => free_ports(),
        };
        let audit = directory.join("audit.jsonl");
        let text = format!(
            "[gateway]\nlisten = \"{address}\"\n[admin]\nlisten = \"{admin}\"\n[audit]\npath = {audit:?}\n[reload]\nwatch = false\n{config}"
        );
        std::fs::write(directory.join("config.toml"), text).expect("the configuration file");
        let errors = std::fs::File::create(directory.join("stderr")).expect("a file for standard error");
        let mut command = match handed {
            Some((sockets, binary)) => handing_over(sockets, binary),
            None => Command::new(BINARY),
        };
        if handed.is_none() {
            command.env_clear().stdin(Stdio::null()).stdout(Stdio::null());
        }
        command.args(["serve", "--config"]).arg(directory.join("config.toml"));
        command.envs(variables.iter().copied()).stderr(errors);
        let mut child = command.spawn().expect("the gateway's binary");
        let guard = guard(child.id(), &directory);
        let ready = wait_until(probe, &mut child, address, admin);
        let gateway = Gateway { address, admin, directory, child, guard };
        match ready {
            true => Ok(gateway),
            false => Err(gateway.stderr()),
        }
    }

    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.directory.join("config.toml")
    }

    /// The file it is run from.
    pub fn binary(&self) -> PathBuf {
        std::fs::read_link(format!("/proc/{}/exe", self.child.id())).expect("a process of ours")
    }

    /// Everything it wrote on standard error.
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(self.directory.join("stderr")).expect("the file of standard error")
    }

    /// The audit log so far.
    pub fn audit_text(&self) -> String {
        std::fs::read_to_string(self.directory.join("audit.jsonl")).unwrap_or_default()
    }

    /// The one record of a request, once it is written: a thread of the gateway's does that when it comes to it.
    pub async fn record(&self, request_id: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let records = self.records(request_id);
            if let [record] = &records[..] {
                return record.clone();
            }
            assert!(records.len() < 2, "{request_id} was audited twice");
            assert!(Instant::now() < deadline, "{request_id} was never audited");
            tokio::time::sleep(LOOK).await;
        }
    }

    fn records(&self, request_id: &str) -> Vec<Value> {
        // The last line may be half written.
        let text = self.audit_text();
        let lines = text.lines().filter(|line| line.contains(request_id));
        let whole = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        whole.filter(|record| record["event"] == "request" && record["request_id"] == request_id).collect()
    }

    /// Bytes of it that are resident.
    pub fn memory(&self) -> usize {
        self.status("VmRSS:")
    }

    /// The most there were since `forget_peak`.
    pub fn peak(&self) -> usize {
        self.status("VmHWM:")
    }

    pub fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").expect("a process of ours");
    }

    fn status(&self, line: &str) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a process of ours");
        let kib =
            status.lines().find_map(|known| known.strip_prefix(line)).and_then(|rest| rest.split_whitespace().next());
        kib.and_then(|kib| kib.parse::<usize>().ok()).expect("a size") * 1024
    }

    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Has it read its configuration again, and waits until it has; how that ended stands in the audit log.
    pub async fn reload(&self) -> Value {
        let before = self.reloads().len();
        self.signal("-HUP");
        self.reloaded(before).await
    }

    /// How the reload ended that comes after so many.
    pub async fn reloaded(&self, before: usize) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(record) = self.reloads().get(before) {
                return record.clone();
            }
            assert!(Instant::now() < deadline, "the gateway does not read its configuration again");
            tokio::time::sleep(LOOK).await;
        }
    }

    fn reloads(&self) -> Vec<Value> {
        let text = self.audit_text();
        let lines = text.lines().filter(|line| line.contains("config_reloaded"));
        let whole = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        whole.filter(|record| record["event"] == "config_reloaded").collect()
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.expect("the command kill").success());
    }

    /// Adds to its configuration file, which it does not read until it is told to.
    pub fn append(&self, config: &str) {
        let path = self.directory.join("config.toml");
        let text = std::fs::read_to_string(&path).expect("the configuration file");
        std::fs::write(path, text + config).expect("the configuration file");
    }

    /// Changes its configuration file, which it does not read until it is told to.
    pub fn edit(&self, from: &str, to: &str) {
        let path = self.directory.join("config.toml");
        let text = std::fs::read_to_string(&path).expect("the configuration file");
        assert!(text.contains(from), "{from} is not in {text}");
        std::fs::write(path, text.replace(from, to)).expect("the configuration file");
    }

    /// Its exit code, when it has ended by itself.
    pub async fn ended(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                return status.code();
            }
            assert!(Instant::now() < deadline, "the gateway does not end");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The answer of the admin listener, whole, to a request without a body.
    pub fn ask_admin(&self, path: &str) -> String {
        get(self.admin, path).expect("an answer of the admin listener")
    }

    /// Whether it answers in the clear at all.
    pub fn tries_admin(&self, path: &str) -> bool {
        get(self.admin, path).is_some_and(|answer| answer.starts_with("HTTP/"))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.guard.kill().ok();
        self.guard.wait().ok();
        self.child.kill().ok();
        self.child.wait().ok();
        std::fs::remove_dir_all(&self.directory).ok();
    }
}

pub const BINARY: &str = env!("CARGO_BIN_EXE_promptgate");

/// As systemd does it: the sockets are descriptors 3 and 4, and LISTEN_PID is the process they are for. A shell moves them there
/// from where a child can be given them, and becomes the gateway.
fn handing_over(sockets: &[TcpListener; 2], binary: &Path) -> Command {
    let script = "exec 3<&0 4<&1 0</dev/null 1>/dev/null; LISTEN_FDS=2 LISTEN_PID=$$ exec \"$0\" \"$@\"";
    let [gateway, admin] = [0, 1].map(|number: usize| sockets[number].try_clone().expect("a socket"));
    let mut command = Command::new("/bin/sh");
    command.env_clear().args(["-c", script]).arg(binary);
    command.stdin(OwnedFd::from(gateway)).stdout(OwnedFd::from(admin));
    command
}

/// Both at once, so that they differ.
fn free_ports() -> [SocketAddr; 2] {
    let bound = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    bound.map(|listener| listener.local_addr().expect("its address"))
}

/// Reads until this process has ended and its end of the pipe with it, then ends the gateway.
fn guard(gateway: u32, directory: &Path) -> Child {
    let mut guard = Command::new("sh");
    guard.args(["-c", "read _; kill -KILL \"$1\" && rm -r \"$2\"", "guard"]).arg(gateway.to_string()).arg(directory);
    guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a shell")
}

fn wait_until(probe: &str, child: &mut Child, gateway: SocketAddr, admin: SocketAddr) -> bool {
    let deadline = Instant::now() + PATIENCE;
    let ready = || {
        let asked = || get(admin, probe).is_some_and(|answer| answer.starts_with("HTTP/1.1 200"));
        let there = |address: SocketAddr| TcpStream::connect(address).is_ok();
        (if probe.is_empty() { there(admin) } else { asked() }) && there(gateway)
    };
    while !ready() {
        let ended = child.try_wait().is_ok_and(|status| status.is_some());
        if ended || Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(LOOK);
    }
    true
}

fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}
