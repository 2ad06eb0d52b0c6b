//! Composition root: listeners, background services, start and shutdown. Holds no logic of a request.

mod fleet;
mod mcp;
mod reload;
mod revocation;
mod secured;
mod services;
mod shutdown;
mod sockets;
mod watch;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pingora::apps::{HttpServerOptions, ServerApp};
use pingora::proxy::http_proxy;
use pingora::server::configuration::ServerConf;
use pingora::server::{RunArgs, Server};
use pingora::services::background::background_service;

pub use mcp::mcp;

use fleet::Following;
use reload::{Reload, files, hangups};
use revocation::Revocation;
use secured::{Read, Secured};
use services::{AdminService, DemoService, GatewayService, HealthService};
use shutdown::Drain;
use sockets::Sockets;
use watch::{Held, look};

use crate::admin::App;
use crate::auth::{self, AuthError};
use crate::config::{AuthMode, Config, Problem, Problems};
use crate::load;
use crate::proxy::{Edge, Gateway};
use crate::snapshot::Snapshot;
use crate::state::jwks::{Jwks, JwksConfig, JwksError};
use crate::state::{Fleet, Live, Vault, VaultError, VerdictCache};
use crate::telemetry::{Audit, Metrics, Traces, TracesError};

/// What kept the gateway from starting.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{0}")]
    Config(#[from] Problems),
    #[error("{what} {address}: {source}")]
    Listen { what: &'static str, address: SocketAddr, source: io::Error },
    #[error("a socket that was handed over: {0}")]
    Handed(io::Error),
    #[error("a socket was handed over for {0}, where no listener is configured")]
    Unclaimed(String),
    #[error("the audit log cannot be opened: {0}")]
    Audit(io::Error),
    #[error("telemetry.otlp: {0}")]
    Traces(#[from] TracesError),
    #[error("SIGHUP cannot be listened for: {0}")]
    Signals(io::Error),
    #[error("threads cannot be started: {0}")]
    Threads(io::Error),
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    #[error("auth.jwt: {0}")]
    Jwks(#[from] JwksError),
    #[error("PROMPTGATE_TOKEN: {0}")]
    Token(#[from] AuthError),
    #[error("standard input and output: {0}")]
    Pipe(io::Error),
}

/// Must run before anything of this process speaks TLS or checks a token.
pub fn install_crypto() {
    pingora::tls::install_default_crypto_provider();
    auth::install_crypto();
}

/// A panic says where it happened and nothing of what it handled: the message of a failed slicing holds the text.
fn silence_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place = place.as_deref().unwrap_or("unknown"), "a request ended in a panic");
    }));
}

/// Where the configuration came from.
#[derive(Debug)]
pub enum Source {
    /// A file, or the built-in defaults; SIGHUP reads it again.
    File(Option<PathBuf>),
    /// Made for the demo, whose upstream listens at this address.
    Demo(SocketAddr),
}

/// Serves until a signal ends the process. `config` is what `source` held at the start.
pub fn run(config: Config, source: Source) -> Result<(), StartError> {
    // First of all: it changes variables, which no other thread may read then.
    let mut sockets = Sockets::inherited().map_err(StartError::Handed)?;
    let hangups = hangups().map_err(StartError::Signals)?;
    let held = match &source {
        Source::File(file) if config.reload.watch => look(files(file.as_ref(), &config)),
        _ => Held::new(),
    };
    install_crypto();
    silence_panics();
    let metrics = Arc::new(Metrics::new()?);
    let snapshot = snapshot(config, None, &metrics)?;
    let config = snapshot.config.clone();
    let audit = Arc::new(Audit::open(&config.audit, &metrics).map_err(StartError::Audit)?);
    let traces = config.telemetry.otlp.as_ref().map(|otlp| Traces::start(otlp, &metrics).map(Arc::new)).transpose()?;
    let live = live(snapshot, &metrics)?;
    let mut certificates = Read::new(&config)?;
    live.set_authorities(std::mem::take(&mut certificates.authorities));
    let secured = Secured::new(certificates, &metrics);

    let shared = sockets.shares(config.admin.listen);
    let admin = sockets.listener("admin.listen", config.admin.listen)?;
    let socket = sockets.listener("gateway.listen", config.gateway.listen)?;
    let demo = match &source {
        Source::Demo(address) => Some(sockets.listener("demo upstream", *address)?),
        Source::File(_) => None,
    };
    sockets.finish()?;

    let mut server = Server::new_with_opt_and_conf(None, server_conf(&config));
    server.bootstrap();
    let gateway =
        Gateway::new(live.clone(), metrics.clone(), audit.clone(), traces.clone()).map_err(StartError::Threads)?;
    let edge = edge(&server.configuration, &config, &secured, gateway, (&live, &metrics));
    let mut service = background_service("gateway", GatewayService::new(socket, edge, live.clone()));
    // As many as `server_conf` says, where other background services have one.
    service.threads = None;
    server.add_service(service);
    let app = App { live: live.clone(), metrics: metrics.clone(), audit: audit.clone() };
    server.add_service(background_service(
        "admin",
        AdminService::new(admin, secured.admin.clone(), shared, Arc::new(app)),
    ));
    server.add_service(background_service("health", HealthService(live.clone())));
    match source {
        Source::Demo(_) => {
            if let Some(listener) = demo {
                server.add_service(background_service("demo upstream", DemoService::new(listener)));
            }
        }
        Source::File(file) => follow(
            &mut server,
            Reload {
                file,
                hangups: hangups.into(),
                held,
                at_start: config.clone(),
                secured,
                live: live.clone(),
                metrics: metrics.clone(),
                audit: audit.clone(),
            },
        ),
    }
    // To systemd, if it started this process: all that can fail has been done.
    if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
        tracing::warn!(%error, "who started this process cannot be told that it is ready");
    }
    let patience = config.timeouts.drain;
    server.run(RunArgs { shutdown_signal: Box::new(Drain::new(live, metrics, patience)) });
    audit.flush(FLUSH);
    if let Some(traces) = traces {
        traces.flush(FLUSH);
    }
    Ok(())
}

/// What the process is at the start: the snapshot, and all that is not made of it alone.
fn live(snapshot: Snapshot, metrics: &Arc<Metrics>) -> Result<Arc<Live>, StartError> {
    let config = snapshot.config.clone();
    let jwks = jwks(&config, metrics)?;
    let live = Arc::new(Live::new(snapshot, jwks));
    live.set_vault(vault(&config)?);
    share_limits(&live, &config)?;
    live.set_fleet(fleet(&config)?);
    live.set_revoked(load::revocations(&config.revocation)?);
    metrics.security_level(live.level());
    Ok(live)
}

/// Keeps the process to what is decided elsewhere: by the other replicas, the list of revocations, the files of the configuration.
fn follow(server: &mut Server, reload: Reload) {
    let (live, metrics) = (&reload.live, &reload.metrics);
    let following = Following { live: live.clone(), metrics: metrics.clone() };
    let revocation = Revocation { live: live.clone(), metrics: metrics.clone() };
    server.add_service(background_service("following", following));
    server.add_service(background_service("revocation", revocation));
    server.add_service(background_service("reload", reload));
}

/// The snapshot with a memory of its own for what its scanner finds. It takes over the engine and the detectors of the one
/// before if nothing about those was changed.
fn snapshot(config: Config, before: Option<&Snapshot>, metrics: &Metrics) -> Result<Snapshot, Problems> {
    let engine = match before.filter(|before| before.config.engine == config.engine) {
        Some(before) => before.guard.second_look.as_ref().map(|second| second.engine.clone()),
        None => load::engine(&config.engine)?.map(|engine| Arc::new(metrics.counted(engine)) as _),
    };
    let snapshot = load::snapshot_with(config, engine, before)?;
    Ok(match snapshot.config.limits.verdict_cache {
        0 => snapshot,
        bytes => {
            let (hits, misses) = metrics.verdict_cache();
            snapshot.remembering(Arc::new(VerdictCache::new(bytes, hits, misses)))
        }
    })
}

/// The vault the configuration names. It connects when it is first asked.
fn vault(config: &Config) -> Result<Option<Arc<Vault>>, Problems> {
    let Some(vault) = &config.tokens.vault else { return Ok(None) };
    let made = Vault::new(&vault.servers, vault.secret.expose().as_bytes(), vault.lifetime);
    let problem = |error: VaultError| Problems(vec![Problem::new("redis.ca", error.to_string())]);
    made.map(|vault| Some(Arc::new(vault))).map_err(problem)
}

/// What the configuration has replicas share. It connects when it is first looked at.
fn fleet(config: &Config) -> Result<Option<Arc<Fleet>>, Problems> {
    let Some(shared) = &config.redis.shared else { return Ok(None) };
    let made = Fleet::new(shared, config.revocation.failure);
    made.map(|fleet| Some(Arc::new(fleet))).map_err(|error| Problems(vec![Problem::new("redis.ca", error.to_string())]))
}

/// Callers' limits are counted where the configuration says.
fn share_limits(live: &Live, config: &Config) -> Result<(), Problems> {
    let shared = live.limiter().share(config.rate_limit.store.as_ref());
    shared.map_err(|error| Problems(vec![Problem::new("redis.ca", error.to_string())]))
}

/// How long the audit log may take to write its last records, and the collector to take the last traces.
const FLUSH: Duration = Duration::from_secs(2);

fn server_conf(config: &Config) -> ServerConf {
    ServerConf {
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        // `Drain` has waited for the requests under way before Pingora is told to stop.
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(1),
        // How often a request may go to another address of its upstream is bounded there.
        max_retries: 8,
        upstream_keepalive_pool_size: config.limits.in_flight.min(1024),
        ..ServerConf::default()
    }
}

fn edge(
    conf: &Arc<ServerConf>,
    config: &Config,
    secured: &Secured,
    gateway: Gateway,
    (live, metrics): (&Arc<Live>, &Arc<Metrics>),
) -> Edge<impl ServerApp + Send + Sync + 'static + use<>> {
    let mut proxy = http_proxy(conf, gateway);
    let mut options = HttpServerOptions::default();
    options.h2c = true;
    options.keepalive_request_limit = u32::try_from(config.limits.connection_requests).ok();
    options.h2_idle_timeout = Some(config.timeouts.keepalive);
    proxy.server_options = Some(options);
    Edge::new(proxy, secured.gateway.clone(), live.clone(), metrics.clone())
}

fn jwks(config: &Config, metrics: &Arc<Metrics>) -> Result<Option<Arc<Jwks>>, StartError> {
    let AuthMode::Jwt(jwt) = &config.auth.mode else { return Ok(None) };
    let metrics = metrics.clone();
    let config = JwksConfig {
        cache_ttl: jwt.cache_ttl,
        observer: Arc::new(move |refresh| metrics.jwks_refresh(refresh.name())),
        ..JwksConfig::new(&jwt.jwks_uri)
    };
    Ok(Some(Arc::new(Jwks::new(config)?)))
}
