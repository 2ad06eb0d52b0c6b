//! What replicas hold the same, in Redis: the security level and those of single callers, the promoted policy, revocations. Puts
//! nothing in force.
//!
//! One hash has the levels, the policy and a generation, which every change raises; one sorted set has what was revoked, by
//! when that ends. A change is announced on a channel. What was read last holds while Redis is away, and is put back if Redis
//! returns with less than it had told.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwapOption;
use futures_util::{Stream, StreamExt};
use thiserror::Error;
use tokio::sync::{Mutex, MutexGuard, watch};

use super::redis::{Store, StoreError};
use crate::auth::{AuthError, MAX_REVOCATIONS, Principal, RevocationError, Revocations};
use crate::config::{OnOutage, Shared};
use crate::policy::{ClientLevels, Level, MAX_CLIENT_LEVELS, TooManyLevels};

/// The hash, and the channel of its changes.
/// In braces what both have in common, so that one script finds both on one node of a cluster.
const SHARED: &str = "promptgate:{shared}";
const REVOKED: &str = "promptgate:{shared}:revoked";

/// Fields of the hash, and what the fields of callers' levels begin with.
const GENERATION: &str = "generation";
const LEVEL: &str = "level";
const POLICY: &str = "policy";
const LEVEL_OF: &str = "level:";

/// Whoever knows no more than this since the last time reads the revocations again, as some may be over.
const REVIEW: Duration = Duration::from_secs(10);

/// Entries of one command.
const BATCH: usize = 1000;

const CHANGE: &str = include_str!("fleet/change.lua");
const RESTORE: &str = include_str!("fleet/restore.lua");

/// See the module.
pub struct Fleet {
    store: Store,
    shared: Shared,
    failure: OnOutage,
    /// Whoever looks or changes holds it until that is in force here: what was read earlier never undoes what was read later.
    agreed: Mutex<Agreed>,
    revoked: ArcSwapOption<Revocations>,
    sight: watch::Sender<Sight>,
}

/// What was read last.
#[derive(Default)]
pub struct Agreed {
    posture: Posture,
    /// Entries as they stand in Redis, with when each ends.
    revoked: Vec<(String, f64)>,
    /// When and at which generation and number they were read.
    read: Option<(Instant, i64, usize)>,
}

/// What an admin has set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Posture {
    generation: i64,
    /// None: never changed, so that the configuration's holds.
    pub level: Option<Level>,
    /// None: never changed; empty: the common one.
    pub policy: Option<String>,
    pub client_levels: ClientLevels,
}

impl Posture {
    /// Whether anything was ever set.
    pub fn is_set(&self) -> bool {
        self.generation > 0
    }
}

/// How well this replica knows what is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// It did not look yet.
    Waiting,
    Current,
    /// The last look failed, and it goes on with what was read before.
    Stale,
    /// No look succeeded.
    NeverLoaded,
}

/// Nothing in it comes from a token or a record.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FleetError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{SHARED} in Redis holds a level that is none")]
    Level,
    #[error("{SHARED} in Redis has a generation that is no number")]
    Generation,
    #[error("{SHARED} in Redis names a policy that this configuration has not")]
    Policy,
    #[error(transparent)]
    Levels(#[from] TooManyLevels),
    #[error("{REVOKED} in Redis: {0}")]
    Revoked(#[from] RevocationError),
}

/// Who or what is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Token,
    Subject,
    Client,
}

impl Kind {
    /// As a list of revocations has it.
    const fn name(self) -> &'static str {
        match self {
            Kind::Token => "jti",
            Kind::Subject => "sub",
            Kind::Client => "client",
        }
    }
}

impl Fleet {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// Of a file of authorities that is not usable.
    pub fn new(shared: &Shared, failure: OnOutage) -> Result<Self, StoreError> {
        let (store, sight) = (Store::new(&shared.servers)?, watch::Sender::new(Sight::Waiting));
        Ok(Fleet {
            store,
            shared: shared.clone(),
            failure,
            agreed: Mutex::default(),
            revoked: ArcSwapOption::empty(),
            sight,
        })
    }

    pub fn shares_security(&self) -> bool {
        self.shared.security
    }

    pub fn shares_revocations(&self) -> bool {
        self.shared.revocations
    }

    pub fn sight(&self) -> Sight {
        *self.sight.borrow()
    }

    /// Waits until it is known, or known not to be, what is shared.
    pub async fn looked(&self) {
        // The sender is this value's own.
        self.sight.subscribe().wait_for(|sight| *sight != Sight::Waiting).await.ok();
    }

    /// Whether callers are refused for not knowing what was revoked.
    pub fn is_blind(&self) -> bool {
        self.shared.revocations && self.failure == OnOutage::Closed && self.revoked.load().is_none()
    }

    /// Refuses a principal that was revoked.
    ///
    /// # Errors
    /// [`AuthError::RevocationsUnavailable`] where that was never known, and is to be.
    pub fn check(&self, principal: &Principal) -> Result<(), AuthError> {
        match &*self.revoked.load() {
            Some(revoked) => revoked.check(principal),
            None if self.is_blind() => Err(AuthError::RevocationsUnavailable),
            None => Ok(()),
        }
    }

    /// Announcements of changes, until the connection ends.
    ///
    /// # Errors
    /// Outages.
    pub async fn news(&self) -> Result<impl Stream<Item = ()> + use<>, StoreError> {
        Ok(self.store.subscribe(SHARED).await?.map(|_| ()))
    }

    /// What was read last, for one who looks or changes.
    pub async fn agreed(&self) -> MutexGuard<'_, Agreed> {
        self.agreed.lock().await
    }

    /// Reads what an admin has set, and puts back what Redis has lost of it.
    ///
    /// # Errors
    /// Outages, and a level that is none: what was read before holds.
    pub async fn read(&self, agreed: &mut Agreed) -> Result<Posture, FleetError> {
        let mut posture = self.posture().await?;
        if posture.generation < agreed.posture.generation {
            self.restore(agreed).await?;
            posture = self.posture().await?;
        }
        agreed.posture = posture.clone();
        Ok(posture)
    }

    async fn posture(&self) -> Result<Posture, FleetError> {
        let mut fields: HashMap<String, String> = self.store.ask(redis::cmd("HGETALL").arg(SHARED)).await?;
        let level = |name: &str| name.parse::<Level>().map_err(|_| FleetError::Level);
        let generation = fields.remove(GENERATION).map(|number| number.parse().map_err(|_| FleetError::Generation));
        let mut posture = Posture {
            generation: generation.transpose()?.unwrap_or_default(),
            level: fields.remove(LEVEL).map(|name| level(&name)).transpose()?,
            policy: fields.remove(POLICY),
            client_levels: ClientLevels::default(),
        };
        for (name, value) in &fields {
            if let Some(client) = name.strip_prefix(LEVEL_OF) {
                posture.client_levels.set(client, Some(level(value)?))?;
            }
        }
        Ok(posture)
    }

    /// The entries first: with the generation it is told that all is back.
    async fn restore(&self, agreed: &Agreed) -> Result<(), StoreError> {
        for entries in agreed.revoked.chunks(BATCH) {
            let mut add = redis::cmd("ZADD");
            add.arg(REVOKED).arg("NX");
            entries.iter().for_each(|(entry, ends)| {
                add.arg(score(*ends)).arg(entry);
            });
            self.store.ask::<i64>(&add).await?;
        }
        let Posture { generation, level, policy, client_levels } = &agreed.posture;
        let mut restore = redis::cmd("EVAL");
        restore.arg(RESTORE).arg(1).arg(SHARED).arg(*generation);
        if let Some(level) = level {
            restore.arg(LEVEL).arg(level.name());
        }
        if let Some(policy) = policy {
            restore.arg(POLICY).arg(policy);
        }
        for (client, level) in client_levels.iter() {
            restore.arg(format!("{LEVEL_OF}{client}")).arg(level.name());
        }
        self.store.ask(&restore).await
    }

    /// Changes it for all replicas.
    ///
    /// # Errors
    /// Too many levels: nothing was changed. Outages: neither, or it was and is not known to be, and is seen at the next look.
    pub async fn change(&self, agreed: &mut Agreed, change: Change<'_>) -> Result<(), FleetError> {
        // A level that is none is what another takes the place of.
        if let Err(error @ FleetError::Store(_)) = self.read(agreed).await {
            return Err(error);
        }
        let most = MAX_CLIENT_LEVELS.to_string();
        let generation = match change {
            Change::Level(level) => self.ask_to_change(&[LEVEL, level.name()]).await?,
            Change::Policy(name) => self.ask_to_change(&[POLICY, name]).await?,
            Change::ClientLevel(client, level) => {
                let name = format!("{LEVEL_OF}{client}");
                match level {
                    Some(level) => self.ask_to_change(&[&name, level.name(), &most]).await?,
                    None => self.ask_to_change(&[&name]).await?,
                }
            }
        };
        if generation == 0 {
            return Err(TooManyLevels.into());
        }
        // It is changed, whether or not Redis tells so now; the next look does.
        self.read(agreed).await.ok();
        Ok(())
    }

    async fn ask_to_change(&self, arguments: &[&str]) -> Result<i64, StoreError> {
        self.store.ask(redis::cmd("EVAL").arg(CHANGE).arg(2).arg(SHARED).arg(REVOKED).arg(arguments)).await
    }

    /// Revokes on all replicas, for good or for so long. `id` is one line without space around it.
    ///
    /// # Errors
    /// Outages; and too many, where nothing was revoked.
    pub async fn revoke(&self, kind: Kind, id: &str, lifetime: Option<Duration>) -> Result<(), FleetError> {
        let mut agreed = self.agreed.lock().await;
        self.read(&mut agreed).await?;
        let (now, entry) = (now(), format!("{} {id}", kind.name()));
        let ends = score(lifetime.map_or(f64::INFINITY, |lifetime| now + lifetime.as_secs_f64()));
        let (now, most) = (score(now), MAX_REVOCATIONS.to_string());
        if self.ask_to_change(&["", &entry, &ends, &now, &most]).await? == 0 {
            return Err(RevocationError::TooMany.into());
        }
        self.read(&mut agreed).await?;
        self.read_revoked(&mut agreed).await
    }

    /// Reads what was revoked, if it may be something else than before, and has it in force.
    ///
    /// # Errors
    /// Outages, and entries that cannot be understood: what was read before holds.
    pub async fn read_revoked(&self, agreed: &mut Agreed) -> Result<(), FleetError> {
        let (generation, count) =
            (agreed.posture.generation, self.store.ask::<usize>(redis::cmd("ZCARD").arg(REVOKED)).await?);
        let known =
            |(at, of, counted): (Instant, i64, usize)| at.elapsed() < REVIEW && (of, counted) == (generation, count);
        if agreed.read.is_some_and(known) {
            return Ok(());
        }
        let mut range = redis::cmd("ZRANGEBYSCORE");
        range.arg(REVOKED).arg(score(now())).arg("+inf").arg("WITHSCORES").arg("LIMIT").arg(0).arg(MAX_REVOCATIONS + 1);
        let entries: Vec<(String, f64)> = self.store.ask(&range).await?;
        let lines: Vec<&str> = entries.iter().map(|(entry, _)| entry.as_str()).collect();
        let revoked = Revocations::default().with_list(&lines.join("\n"))?;
        self.revoked.store(Some(revoked.into()));
        (agreed.revoked, agreed.read) = (entries, Some((Instant::now(), generation, count)));
        Ok(())
    }

    /// How the look went that is over.
    pub fn note(&self, succeeded: bool) {
        self.sight.send_modify(|sight| {
            *sight = match (succeeded, *sight) {
                (true, _) => Sight::Current,
                (false, Sight::Current | Sight::Stale) => Sight::Stale,
                (false, Sight::Waiting | Sight::NeverLoaded) => Sight::NeverLoaded,
            }
        });
    }
}

/// What is changed.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    Level(Level),
    /// The policy in the place of the common one; empty: none.
    Policy(&'a str),
    /// Of the caller with this client id; without one, it has that of all.
    ClientLevel(&'a str, Option<Level>),
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet").field("shared", &self.shared).finish_non_exhaustive()
    }
}

/// As Redis reads numbers, infinity included.
fn score(seconds: f64) -> String {
    seconds.to_string()
}

/// Unix time in seconds.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
