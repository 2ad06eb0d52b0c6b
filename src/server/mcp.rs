//! The admin listener's tools for one client that started this process. Listens nowhere.

use std::sync::Arc;

use super::{FLUSH, StartError, install_crypto, jwks, silence_panics, snapshot};
use crate::admin::{self, App};
use crate::config::Config;
use crate::load;
use crate::state::Live;
use crate::telemetry::{Audit, Metrics};

/// Serves on standard input and output until the client closes them, with the scopes of the token if there is one.
pub fn mcp(config: Config, token: Option<&str>) -> Result<(), StartError> {
    install_crypto();
    silence_panics();
    let metrics = Arc::new(Metrics::new()?);
    let snapshot = snapshot(config, None, &metrics)?;
    let audit = Arc::new(Audit::open(&snapshot.config.audit, &metrics).map_err(StartError::Audit)?);
    let (jwks, revocation) = (jwks(&snapshot.config, &metrics)?, snapshot.config.revocation.clone());
    let live = Arc::new(Live::new(snapshot, jwks));
    live.set_revoked(load::revocations(&revocation)?);
    let app = Arc::new(App { live, metrics, audit: audit.clone() });
    let runtime = tokio::runtime::Runtime::new().map_err(StartError::Threads)?;
    let served = runtime.block_on(async {
        let principal = match token {
            Some(token) => app.live.authenticate(Some(token)).await?,
            None => admin::local(),
        };
        admin::serve_stdio(app, principal).await.map_err(StartError::Pipe)
    });
    // A read of standard input cannot be called off.
    runtime.shutdown_background();
    audit.flush(FLUSH);
    served
}
