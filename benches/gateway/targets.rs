//! What is compared: the gateway with everything on, a bare Pingora pass-through, nginx where it is installed, and the upstream
//! itself. How each is started; what is asked of them, the scenarios say.

use std::env;
use std::error::Error;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::mock;
use super::process::{Server, free_address};

/// The argument that makes this program the bare proxy.
pub const BARE_PROXY: &str = "bare-proxy";
/// The fixture's certificate for localhost.
pub const CERT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/localhost-test-only.cert.pem");
const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/localhost-test-only.key.pem");

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// The upstream without a proxy.
    Direct,
    Nginx,
    Bare,
    Gateway,
}

impl Target {
    pub const ALL: [Target; 4] = [Target::Direct, Target::Nginx, Target::Bare, Target::Gateway];

    pub const fn name(self) -> &'static str {
        match self {
            Target::Direct => "direct",
            Target::Nginx => "nginx",
            Target::Bare => "bare proxy",
            Target::Gateway => "promptgate",
        }
    }
}

/// How the proxies are started.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    pub tls: bool,
    /// On one core instead of all, and so with one thread.
    pub one_core: bool,
    /// Requests at once, if the shipped limit is too low.
    pub in_flight: Option<usize>,
    /// Words before the gateway's and the bare proxy's command: a profiler and its arguments.
    pub under: Vec<String>,
}

/// The proxies, running, in front of one upstream.
pub struct Fleet {
    upstream: SocketAddr,
    servers: Vec<(Target, Server)>,
}

impl Fleet {
    /// Starts those of `targets` that are processes and installed.
    pub fn start(
        targets: &[Target],
        upstream: SocketAddr,
        setting: &Setting,
        folder: &Path,
    ) -> Result<Self, Box<dyn Error>> {
        let mut servers = Vec::new();
        for target in targets {
            let server = match target {
                Target::Direct => continue,
                Target::Nginx if setting.tls || !installed("nginx") => continue,
                Target::Nginx => nginx(upstream, folder),
                Target::Bare => bare_proxy(upstream, setting, folder),
                Target::Gateway => gateway(upstream, setting, folder),
            };
            servers.push((*target, server.map_err(|error| format!("{}: {error}", target.name()))?));
        }
        Ok(Fleet { upstream, servers })
    }

    /// Those that can be asked.
    pub fn has(&self, target: Target) -> bool {
        target == Target::Direct || self.server(target).is_some()
    }

    pub fn address(&self, target: Target) -> SocketAddr {
        self.server(target).map_or(self.upstream, |server| server.address)
    }

    /// The upstream is a thread of this process and has no figures of its own.
    pub fn server(&self, target: Target) -> Option<&Server> {
        self.servers.iter().find(|(known, _)| *known == target).map(|(_, server)| server)
    }
}

pub fn installed(program: &str) -> bool {
    env::split_paths(&env::var_os("PATH").unwrap_or_default()).any(|folder| folder.join(program).is_file())
}

/// The words before a command line.
fn before(setting: &Setting) -> Vec<String> {
    let one_core = ["taskset", "--cpu-list", "0"].map(str::to_owned);
    let one_core = if setting.one_core { &one_core[..] } else { &[] };
    [one_core, &setting.under].concat()
}

fn bare_proxy(upstream: SocketAddr, setting: &Setting, folder: &Path) -> io::Result<Server> {
    let address = free_address()?;
    let program = env::current_exe()?.display().to_string();
    let mut line = vec![program, BARE_PROXY.to_owned(), address.to_string(), upstream.to_string()];
    if setting.tls {
        line.extend([CERT.to_owned(), KEY.to_owned()]);
    }
    Server::start(&before(setting), &line, &[], address, folder)
}

/// Every guard on at level medium, an upstream key, the audit log in a file: as it would run.
fn gateway(upstream: SocketAddr, setting: &Setting, folder: &Path) -> io::Result<Server> {
    let (address, admin) = (free_address()?, free_address()?);
    let config = folder.join(format!("promptgate-{}.toml", address.port()));
    // Not beside the configuration, whose folder is watched.
    let audit = folder.join("audit");
    fs::create_dir_all(&audit)?;
    let audit = audit.join(format!("{}.jsonl", address.port()));
    let mut text = format!("[gateway]\nlisten = \"{address}\"\n\n");
    if setting.tls {
        text.push_str(&format!("[gateway.tls]\ncert = {CERT:?}\nkey = {KEY:?}\n\n"));
    }
    if let Some(requests) = setting.in_flight {
        text.push_str(&format!("[limits]\nin_flight = {requests}\n\n"));
    }
    text.push_str(&format!(
        "[admin]\nlisten = \"{admin}\"\n\n[security]\nlevel = \"medium\"\n\n[audit]\npath = {:?}\n\n[log]\nlevel = \"warn\"\n\n\
         [[upstream]]\nname = \"mock\"\nurl = \"http://{upstream}\"\napi_key_env = \"BENCH_UPSTREAM_KEY\"\n\n",
        audit.display().to_string()
    ));
    for path in mock::PATHS {
        text.push_str(&format!("[[route]]\npath = \"{path}\"\nformat = \"openai.chat\"\nupstream = \"mock\"\n\n"));
    }
    fs::write(&config, text)?;
    let line = [env!("CARGO_BIN_EXE_promptgate"), "serve", "--config"].map(str::to_owned).into_iter();
    let line: Vec<String> = line.chain([config.display().to_string()]).collect();
    let variables = [("BENCH_UPSTREAM_KEY", "bench-upstream-key-0123456789abcdef")];
    Server::start(&before(setting), &line, &variables, address, folder)
}

/// A pass-through that buffers nothing, as the others do.
fn nginx(upstream: SocketAddr, folder: &Path) -> io::Result<Server> {
    let address = free_address()?;
    let place: PathBuf = folder.join(format!("nginx-{}", address.port()));
    fs::create_dir_all(&place)?;
    let user = Command::new("id").arg("-un").output()?;
    let user = String::from_utf8_lossy(&user.stdout).trim().to_owned();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary: String =
        temporary.iter().map(|name| format!("{name}_temp_path {}/{name};\n", place.display())).collect();
    let text = format!(
        "daemon off;\nuser {user};\nworker_processes auto;\npid {place}/pid;\nerror_log stderr error;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\naccess_log off;\nkeepalive_requests 100000000;\nclient_max_body_size 0;\n{temporary}\
         upstream mock {{ server {upstream}; keepalive 1024; keepalive_requests 100000000; }}\n\
         server {{\nlisten {address};\nlocation / {{\nproxy_pass http://mock;\nproxy_http_version 1.1;\n\
         proxy_set_header Connection \"\";\nproxy_request_buffering off;\nproxy_buffering off;\n}}\n}}\n}}\n",
        place = place.display()
    );
    let config = place.join("nginx.conf");
    fs::write(&config, text)?;
    let line = ["nginx".to_owned(), "-c".to_owned(), config.display().to_string()];
    Server::start(&[], &line, &[], address, folder)
}
