//! How a connection to Redis comes about: to the server, to the master that Sentinels name, or to a cluster. Keeps none.

use futures_util::future::select_ok;
use redis::aio::{MultiplexedConnection, PubSubStream};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, FromRedisValue, IntoConnectionInfo,
    RedisConnectionInfo, RedisResult, TlsCertificates, TlsMode,
};

use super::{ANSWER, CONNECT};
use crate::config::{Login, Node, RedisServers, Secret, Topology};

/// All clones share it.
#[derive(Clone)]
pub enum Connection {
    Server(MultiplexedConnection),
    /// To every node of it that is needed.
    Cluster(Box<ClusterConnection>),
}

impl Connection {
    pub async fn open(servers: &RedisServers) -> RedisResult<Self> {
        let certificates = certificates(servers).await?;
        Ok(match &servers.topology {
            Topology::Cluster => Connection::Cluster(Box::new(cluster(servers, certificates).await?)),
            Topology::Server | Topology::Sentinel { .. } => {
                let settings = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(CONNECT))
                    .set_response_timeout(Some(ANSWER));
                let client = master(servers, certificates).await?;
                Connection::Server(client.get_multiplexed_async_connection_with_config(&settings).await?)
            }
        })
    }

    pub async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> RedisResult<T> {
        match self {
            Connection::Server(connection) => command.query_async(connection).await,
            Connection::Cluster(connection) => Box::pin(command.query_async(connection.as_mut())).await,
        }
    }
}

/// What is published on a channel. The nodes of a cluster tell each other: whichever answers first will do.
pub async fn subscribe(servers: &RedisServers, channel: &str) -> RedisResult<PubSubStream> {
    let certificates = certificates(servers).await?;
    match &servers.topology {
        Topology::Cluster => {
            let attempts = servers.nodes.iter().map(|node| {
                let client = client(servers, node, certificates.clone());
                Box::pin(async { listen(client?, channel).await })
            });
            Ok(select_ok(attempts).await?.0)
        }
        Topology::Server | Topology::Sentinel { .. } => listen(master(servers, certificates).await?, channel).await,
    }
}

async fn listen(client: Client, channel: &str) -> RedisResult<PubSubStream> {
    let (mut sink, stream) = client.get_async_pubsub().await?.split();
    sink.subscribe(channel).await?;
    Ok(stream)
}

/// Read for each connection: a file that was renewed holds for the next.
async fn certificates(servers: &RedisServers) -> RedisResult<Option<TlsCertificates>> {
    let Some(ca) = &servers.ca else { return Ok(None) };
    Ok(Some(TlsCertificates { client_tls: None, root_cert: Some(tokio::fs::read(ca).await?) }))
}

/// The server, or whom the Sentinels name.
async fn master(servers: &RedisServers, certificates: Option<TlsCertificates>) -> RedisResult<Client> {
    let Topology::Sentinel { master, login } = &servers.topology else {
        // There is one.
        return client(servers, &servers.nodes[0], certificates);
    };
    let nodes = servers.nodes.iter().map(|node| address(servers, node));
    let mut builder = SentinelClientBuilder::new(nodes, master, SentinelServerType::Master)?
        .set_client_to_redis_db(servers.database.into());
    if servers.tls {
        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
    }
    if let Some(certificates) = certificates {
        builder = builder
            .set_client_to_redis_certificates(certificates.clone())
            .set_client_to_sentinel_certificates(certificates);
    }
    for (login, is_master) in [(&servers.login, true), (login, false)] {
        if let Some(user) = login.user.as_ref().map(Secret::expose) {
            builder = match is_master {
                true => builder.set_client_to_redis_username(user),
                false => builder.set_client_to_sentinel_username(user),
            };
        }
        if let Some(password) = login.password.as_ref().map(Secret::expose) {
            builder = match is_master {
                true => builder.set_client_to_redis_password(password),
                false => builder.set_client_to_sentinel_password(password),
            };
        }
    }
    builder.build()?.async_get_client().await
}

async fn cluster(servers: &RedisServers, certificates: Option<TlsCertificates>) -> RedisResult<ClusterConnection> {
    let nodes = servers.nodes.iter().map(|node| info(servers, node)).collect::<RedisResult<Vec<_>>>()?;
    let mut builder =
        ClusterClient::builder(nodes).connection_timeout(CONNECT).response_timeout(ANSWER).retries(RETRIES);
    if let Some(certificates) = certificates {
        builder = builder.certs(certificates);
    }
    builder.build()?.get_async_connection().await
}

/// Of one command within a cluster, such as when a slot has moved.
const RETRIES: u32 = 2;

fn client(servers: &RedisServers, node: &Node, certificates: Option<TlsCertificates>) -> RedisResult<Client> {
    let info = info(servers, node)?;
    match certificates {
        Some(certificates) => Client::build_with_tls(info, certificates),
        None => Client::open(info),
    }
}

fn info(servers: &RedisServers, node: &Node) -> RedisResult<ConnectionInfo> {
    let Login { user, password } = &servers.login;
    let mut settings = RedisConnectionInfo::default().set_db(servers.database.into());
    if let Some(user) = user {
        settings = settings.set_username(user.expose());
    }
    if let Some(password) = password {
        settings = settings.set_password(password.expose());
    }
    Ok(address(servers, node).into_connection_info()?.set_redis_settings(settings))
}

fn address(servers: &RedisServers, Node { host, port }: &Node) -> ConnectionAddr {
    let (host, port) = (host.clone(), *port);
    match servers.tls {
        true => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
        false => ConnectionAddr::Tcp(host, port),
    }
}
