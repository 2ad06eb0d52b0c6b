//! A real Redis on loopback, as each case needs it. Knows nothing of what is kept there.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub const TRUST: &str = "SSL_CERT_FILE";
pub const CERT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/localhost-test-only.cert.pem");
pub const PRIVATE_KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/localhost-test-only.key.pem");
/// For what takes milliseconds on an idle machine.
pub const PATIENCE: Duration = Duration::from_secs(20);
pub const LOOK: Duration = Duration::from_millis(20);

pub async fn eventually(what: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !what() {
        assert!(Instant::now() < deadline, "it never happens");
        tokio::time::sleep(LOOK).await;
    }
}

pub fn has_redis() -> bool {
    Command::new("redis-server").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// What is started.
#[derive(Clone, Copy)]
enum Kind {
    Plain,
    Tls,
    /// One that watches over others; its configuration stands in its directory.
    Sentinel,
}

/// A server on a free port of the loopback address, with nothing on disk; killed when dropped.
pub struct Redis {
    pub port: u16,
    kind: Kind,
    arguments: Vec<String>,
    directory: PathBuf,
    child: Child,
}

impl Redis {
    pub fn start(arguments: &[&str]) -> Redis {
        Redis::start_as(Kind::Plain, arguments, "")
    }

    pub fn start_with_tls(arguments: &[&str]) -> Redis {
        Redis::start_as(Kind::Tls, arguments, "")
    }

    /// A Sentinel of this server and its replicas, which it knows as `main`. So patient that a busy machine is no reason to it: who
    /// kills the master tells it. Nobody has to log in there, and `watcher` may.
    pub fn start_sentinel(master: &Redis) -> Redis {
        let config = format!(
            "sentinel monitor main 127.0.0.1 {} 1\nsentinel down-after-milliseconds main 60000\n\
             sentinel failover-timeout main 60000\nuser watcher on >watchers-password ~* &* +@all\n",
            master.port
        );
        Redis::start_as(Kind::Sentinel, &[], &config)
    }

    fn start_as(kind: Kind, arguments: &[&str], config: &str) -> Redis {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("promptgate-redis-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir(&directory).expect("a directory for the server");
        std::fs::write(directory.join("redis.conf"), config).expect("its configuration");
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        // A free port may be taken by somebody else before the server binds it.
        for _ in 0..5 {
            let port = free_port();
            let child = spawn(port, kind, &arguments, &directory);
            let mut redis = Redis { port, kind, arguments: arguments.clone(), directory: directory.clone(), child };
            if redis.is_up() {
                return redis;
            }
        }
        panic!("redis-server does not start");
    }

    pub fn stop(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    pub fn start_again(&mut self) {
        self.child = spawn(self.port, self.kind, &self.arguments, &self.directory);
        assert!(self.is_up(), "redis-server does not start again");
    }

    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Whether it takes connections, as soon as it does.
    pub fn is_up(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && self.child.try_wait().expect("a child").is_none() {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
                return true;
            }
            std::thread::sleep(LOOK);
        }
        false
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Past the vault, over a connection of its own.
    pub fn ask<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> T {
        let mut connection = redis::Client::open(self.url()).and_then(|client| client.get_connection()).expect("Redis");
        command.query(&mut connection).expect("an answer")
    }

    /// Whether it does what the command says.
    pub fn does(&self, command: &redis::Cmd) -> bool {
        let connection = redis::Client::open(self.url()).and_then(|client| client.get_connection());
        connection.and_then(|mut connection| command.exec(&mut connection)).is_ok()
    }

    /// That there have been, the one that asks included.
    pub fn connections(&self) -> u64 {
        let stats: String = self.ask(redis::cmd("INFO").arg("stats"));
        let count = stats.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
        count.and_then(|count| count.trim().parse().ok()).expect("a number")
    }

    pub fn keys(&self) -> Vec<String> {
        self.ask(redis::cmd("KEYS").arg("*"))
    }

    pub fn only_key(&self) -> String {
        let [name] = &self.keys()[..] else { panic!("there is one record") };
        name.clone()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may be stopped already, and a case that failed has said why.
        self.child.kill().ok();
        self.child.wait().ok();
        std::fs::remove_dir_all(&self.directory).ok();
    }
}

fn spawn(port: u16, kind: Kind, arguments: &[String], directory: &Path) -> Child {
    let port = port.to_string();
    let mut command = Command::new("redis-server");
    command.arg(directory.join("redis.conf")).args(["--bind", "127.0.0.1", "--dir"]).arg(directory);
    match kind {
        Kind::Plain => command.args(["--save", "", "--appendonly", "no", "--port", &port]),
        Kind::Tls => {
            command.args(["--save", "", "--appendonly", "no", "--port", "0", "--tls-port", &port]);
            command.args(["--tls-auth-clients", "no", "--tls-cert-file", CERT, "--tls-key-file", PRIVATE_KEY])
        }
        Kind::Sentinel => command.args(["--sentinel", "--port", &port]),
    };
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("redis-server starts")
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}
