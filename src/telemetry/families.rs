//! Families of metrics as the registry wants them. Knows none by name but the build's own.

use prometheus::core::Collector;
use prometheus::{
    Error, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use super::metrics::outcome;

/// Makes families and registers them, all under the prefix `promptgate_`.
pub(super) struct Families(pub Registry);

impl Families {
    pub fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, Error> {
        self.registered(IntCounterVec::new(options(name, help), labels)?)
    }

    /// Counters by the label `result`. Both are there before anything happened: Prometheus sees no increase in a counter that
    /// begins at 1.
    pub fn outcomes(&self, name: &str, help: &str) -> Result<IntCounterVec, Error> {
        let counters = self.counters(name, help, &["result"])?;
        for succeeded in [true, false] {
            counters.with_label_values(&[outcome(succeeded)]);
        }
        Ok(counters)
    }

    pub fn counter(&self, name: &str, help: &str) -> Result<IntCounter, Error> {
        self.registered(IntCounter::with_opts(options(name, help))?)
    }

    pub fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, Error> {
        self.registered(IntGauge::with_opts(options(name, help))?)
    }

    pub fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, Error> {
        self.registered(IntGaugeVec::new(options(name, help), labels)?)
    }

    pub fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, Error> {
        let options = HistogramOpts::from(options(name, help)).buckets(buckets.to_vec());
        self.registered(Histogram::with_opts(options)?)
    }

    pub fn histograms(&self, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> Result<HistogramVec, Error> {
        let options = HistogramOpts::from(options(name, help)).buckets(buckets.to_vec());
        self.registered(HistogramVec::new(options, labels)?)
    }

    pub fn build_info(&self) -> Result<(), Error> {
        let info = self.registered(IntGaugeVec::new(options("build_info", "Always 1."), &["version", "commit"])?)?;
        info.with_label_values(&[env!("CARGO_PKG_VERSION"), COMMIT]).set(1);
        Ok(())
    }

    fn registered<C: Collector + Clone + 'static>(&self, family: C) -> Result<C, Error> {
        self.0.register(Box::new(family.clone()))?;
        Ok(family)
    }
}

/// As whoever built it said by `PROMPTGATE_COMMIT`.
pub(super) const COMMIT: &str = match option_env!("PROMPTGATE_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

fn options(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace("promptgate")
}
