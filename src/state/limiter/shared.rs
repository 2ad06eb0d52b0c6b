//! Limits counted in Redis, each request by one script: what several replicas ask at once is decided one by one, on one clock.
//! Decides nothing about an outage.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use redis::{Cmd, FromRedisValue};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tokio::runtime::Handle;

use crate::config::{OnOutage, RateLimitStore};
use crate::limits::{Demand, Denial, Use};
use crate::state::redis::{PAUSE, Store, StoreError};

pub struct Shared {
    store: Store,
    patience: Duration,
    failure: OnOutage,
    /// When it did not answer the last time.
    away: Mutex<Option<Instant>>,
    leases: Mutex<Leases>,
    /// Tells requests under way apart, of all replicas.
    process: u64,
    last: AtomicU64,
}

/// Requests under way, by the keys of their sets.
#[derive(Default)]
struct Leases {
    names: HashMap<String, Vec<String>>,
    renewed: bool,
}

/// How long a request under way counts without a word of its replica, which may have been killed; and how often there is one.
const STAYS: Duration = Duration::from_secs(60);
const RENEWAL: Duration = Duration::from_secs(20);

/// A script and the name by which Redis knows it once it has run.
struct Script {
    text: &'static str,
    hash: String,
}

static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("take.lua")));
static SETTLE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("settle.lua")));
static STAY: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("stay.lua")));

impl Script {
    fn new(text: &'static str) -> Self {
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
        Script { text, hash: hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect() }
    }
}

impl Shared {
    /// # Errors
    /// Of a file of authorities that is not usable.
    pub fn new(store: &RateLimitStore) -> Result<Self, StoreError> {
        Ok(Shared {
            store: Store::new(&store.servers)?,
            patience: store.timeout,
            failure: store.failure,
            away: Mutex::default(),
            leases: Mutex::default(),
            process: RandomState::new().build_hasher().finish(),
            last: AtomicU64::new(0),
        })
    }

    pub fn failure(&self) -> OnOutage {
        self.failure
    }

    /// Takes all of it, or nothing: the name of what was taken, or why not.
    ///
    /// # Errors
    /// Outages. After one nobody waits for a while.
    pub async fn take(self: &Arc<Self>, demands: &[Demand]) -> Result<Result<String, Denial>, StoreError> {
        if self.away().is_some_and(|since| since.elapsed() < PAUSE) {
            return Err(StoreError::Unreachable);
        }
        let (ordered, rates) = ordered(demands);
        let name = format!("{:x}:{:x}", self.process, self.last.fetch_add(1, Ordering::Relaxed));
        let mut arguments = vec![rates.to_string()];
        for (_, demand) in &ordered {
            match demand.rate() {
                Some(rate) => {
                    arguments.extend([rate.duration(demand.cost), rate.period()].map(|number| number.to_string()))
                }
                None => arguments.push(demand.limit.most.to_string()),
            }
        }
        arguments.extend([name.clone(), STAYS.as_micros().to_string()]);
        let answer: (usize, u64, u64) =
            self.run(&TAKE, ordered.iter().map(|(_, demand)| &*demand.key), &arguments).await?;
        match answer {
            (0, ..) => {
                self.lease(demands, &name);
                Ok(Ok(name))
            }
            (number, wait, left) => {
                let at = ordered.get(number - 1).map_or(0, |(at, _)| *at);
                Ok(Err(Denial { at, wait, left }))
            }
        }
    }

    /// Sets right what was taken under this name, in a while.
    pub fn settle(self: Arc<Self>, demands: &[Demand], used: Use, name: &str) {
        self.end_lease(demands, name);
        let (ordered, _) = ordered(demands);
        let mut keys = Vec::new();
        let mut corrections = Vec::new();
        for (_, demand) in ordered {
            match (demand.rate(), used.actual(demand)) {
                (Some(rate), Some(actual)) if actual != demand.cost => {
                    let more = i128::from(rate.duration(actual)) - i128::from(rate.duration(demand.cost));
                    corrections.push(more.to_string());
                    keys.push(demand.key.clone());
                }
                (Some(_), _) => {}
                (None, _) => keys.push(demand.key.clone()),
            }
        }
        let arguments: Vec<String> =
            [corrections.len().to_string()].into_iter().chain(corrections).chain([name.to_owned()]).collect();
        let Some(runtime) = Handle::try_current().ok().filter(|_| !keys.is_empty()) else { return };
        runtime.spawn(async move {
            let settled: Result<i64, StoreError> = self.run(&SETTLE, keys.iter().map(String::as_str), &arguments).await;
            if let Err(error) = settled {
                tracing::debug!(%error, "what a request came to cannot be counted in Redis");
            }
        });
    }

    async fn run<'k, T: FromRedisValue>(
        &self,
        script: &Script,
        keys: impl Iterator<Item = &'k str> + Clone,
        arguments: &[String],
    ) -> Result<T, StoreError> {
        let known = command("EVALSHA", &script.hash, keys.clone(), arguments);
        let asked = async {
            match self.store.ask(&known).await {
                Err(StoreError::Refused(code)) if code == "NOSCRIPT" => {
                    self.store.ask(&command("EVAL", script.text, keys, arguments)).await
                }
                answer => answer,
            }
        };
        let answer = tokio::time::timeout(self.patience, asked).await.unwrap_or(Err(StoreError::Timeout));
        *self.away() = answer.is_err().then(Instant::now);
        answer
    }

    /// Remembers what is under way, and says so to Redis from time to time as long as there is any.
    fn lease(self: &Arc<Self>, demands: &[Demand], name: &str) {
        let mut leases = self.leases();
        for demand in under_way(demands) {
            leases.names.entry(demand.key.clone()).or_default().push(name.to_owned());
        }
        if !leases.names.is_empty() && !leases.renewed {
            leases.renewed = true;
            tokio::spawn(renew(Arc::downgrade(self)));
        }
    }

    fn end_lease(&self, demands: &[Demand], name: &str) {
        let mut leases = self.leases();
        for demand in under_way(demands) {
            if let Some(names) = leases.names.get_mut(&demand.key) {
                names.retain(|known| known != name);
                if names.is_empty() {
                    leases.names.remove(&demand.key);
                }
            }
        }
    }

    fn leases(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn away(&self) -> MutexGuard<'_, Option<Instant>> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn renew(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(RENEWAL).await;
        let Some(shared) = shared.upgrade() else { return };
        let names: Vec<(String, Vec<String>)> = {
            let mut leases = shared.leases();
            leases.renewed = !leases.names.is_empty();
            if !leases.renewed {
                return;
            }
            leases.names.iter().map(|(key, names)| (key.clone(), names.clone())).collect()
        };
        for (key, names) in names {
            let arguments: Vec<String> = [STAYS.as_micros().to_string()].into_iter().chain(names).collect();
            let stayed: Result<i64, StoreError> = shared.run(&STAY, [key.as_str()].into_iter(), &arguments).await;
            if let Err(error) = stayed {
                tracing::debug!(%error, "requests under way cannot be told to Redis");
            }
        }
    }
}

/// Rates first, each with its place among the demands; and how many they are.
fn ordered(demands: &[Demand]) -> (Vec<(usize, &Demand)>, usize) {
    let (mut rates, others): (Vec<_>, Vec<_>) =
        demands.iter().enumerate().partition(|(_, demand)| demand.rate().is_some());
    let count = rates.len();
    rates.extend(others);
    (rates, count)
}

fn under_way(demands: &[Demand]) -> impl Iterator<Item = &Demand> {
    demands.iter().filter(|demand| demand.rate().is_none())
}

fn command<'k>(verb: &str, script: &str, keys: impl Iterator<Item = &'k str>, arguments: &[String]) -> Cmd {
    // What one script counts is on one node of a cluster: where the word in braces is.
    let keys: Vec<String> = keys.map(|key| format!("promptgate:{{limit}}:{key}")).collect();
    let mut command = redis::cmd(verb);
    command.arg(script).arg(keys.len()).arg(keys).arg(arguments);
    command
}
