//! Placeholders of earlier answers, for conversations that the upstream keeps: asked for when a request goes on with one, and
//! kept when its answer was given a name. Knows no Redis.

use std::sync::Arc;

use super::Gateway;
use super::context::Context;
use super::reply::Failure;
use crate::auth::Principal;
use crate::config::OnOutage;
use crate::state::Vault;

impl Gateway {
    /// Adds what the placeholders of the conversation stand for that the request goes on with.
    pub(super) async fn recall(&self, context: &mut Context) -> Result<(), Failure> {
        let states = std::mem::take(&mut context.states);
        if let (Some(vault), Some(tenant), false) = (self.live.vault(), tenant(context), states.is_empty()) {
            for id in &states {
                self.recall_one(context, &vault, &tenant, id).await?;
            }
        }
        context.states = states;
        Ok(())
    }

    async fn recall_one(&self, context: &mut Context, vault: &Vault, tenant: &str, id: &str) -> Result<(), Failure> {
        let found = vault.load(tenant, id).await;
        let any = found.as_ref().map(|found| !found.is_empty());
        self.metrics.vault_load(any.map_err(|error| error.name()));
        match found {
            Ok(found) => context.tokens.extend(found),
            Err(error) if error.is_outage() => {
                context.vault_away = true;
                if self.vault_failure(context) == OnOutage::Closed {
                    let message = "what earlier answers held cannot be looked up at the moment";
                    return Err(Failure::unavailable("vault_unavailable", message));
                }
            }
            // A record that does not open is none.
            Err(_) => {}
        }
        Ok(())
    }

    /// Keeps what the placeholders stand for, under the names the answer was given and the conversation has.
    pub(super) async fn remember(&self, context: &Context) {
        let Some(filter) = &context.answer else { return };
        let (Some(vault), Some(tenant)) = (self.live.vault(), tenant(context)) else { return };
        // A conversation whose earlier placeholders are not known would lose them.
        let known = context.states.iter().filter(|_| !context.vault_away);
        let mut names: Vec<&String> = filter.states().iter().chain(known).collect();
        names.sort();
        names.dedup();
        for name in names {
            let kept = vault.store(&tenant, name, &context.tokens).await;
            if !context.tokens.is_empty() {
                self.metrics.vault_store(kept.map_err(|error| error.name()));
            }
        }
    }

    fn vault_failure(&self, context: &Context) -> OnOutage {
        let vault = context.snapshot.config.tokens.vault.as_ref();
        vault.map_or(OnOutage::Open, |vault| vault.failure)
    }
}

fn tenant(context: &Context) -> Option<Arc<str>> {
    context.principal.as_ref().map(|Principal { tenant, .. }| tenant.as_str().into())
}
