//! The tools over standard input and output, for a client that starts this process. Opens no socket.

use std::io;
use std::sync::Arc;

use rmcp::service::{ServerInitializeError, serve_server};
use rmcp::transport::stdio;

use super::tools::Tools;
use crate::admin::App;
use crate::auth::{Mode, Principal, Scope};

/// Who started the process, and so owns its configuration: may do everything.
pub fn local() -> Principal {
    Principal {
        client_id: LOCAL.to_owned(),
        scopes: Scope::ALL.iter().map(|scope| scope.name().to_owned()).collect(),
        mode: Mode::Static,
        tenant: LOCAL.to_owned(),
        subject: None,
        jti: None,
        name: None,
        expires: None,
    }
}

/// Serves until the client closes standard input.
pub async fn serve_stdio(app: Arc<App>, principal: Principal) -> io::Result<()> {
    let tools = Tools::of(app, principal, LOCAL.to_owned());
    match serve_server(tools, stdio()).await {
        Ok(running) => running.waiting().await.map(drop).map_err(io::Error::other),
        Err(ServerInitializeError::ConnectionClosed(_)) => Ok(()),
        Err(_) => Err(io::Error::other("what came first was no message that begins a session")),
    }
}

const LOCAL: &str = "local";
