//! What goes to standard error, and how. Decides nothing about audit records, which have a writer of their own.

use std::io::{self, IsTerminal};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, Registry, fmt};

use crate::config::{Log, LogFormat, LogLevel};

/// Sends what this process logs, through `tracing` or through `log` as Pingora does, to standard error.
///
/// # Errors
/// When logging was set up before.
pub fn init(log: &Log) -> Result<(), TryInitError> {
    tracing_subscriber::registry()
        .with(lines(log.format, io::stderr, io::stderr().is_terminal()))
        .with(filter(log.level))
        .try_init()
}

fn lines<W>(format: LogFormat, writer: W, colours: bool) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'a> fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = fmt::layer().with_writer(writer);
    match format {
        LogFormat::Text => layer.with_ansi(colours).boxed(),
        LogFormat::Json => layer.with_ansi(false).json().flatten_event(true).boxed(),
    }
}

/// Our own targets at the level asked for. Of others only warnings, whatever was asked for: at `debug`, HTTP libraries print
/// headers and bodies. Pingora prints such bytes in warnings too (an unreadable request head, a bad chunk), so those of its
/// modules that see requests are silent, and so is the library for MCP; what they would report is in the audit record and in `upstream_errors_total`.
fn filter(level: LogLevel) -> Targets {
    let level = level_filter(level);
    let others = level.min(LevelFilter::WARN);
    Targets::new().with_default(others).with_target("promptgate", level).with_targets(
        ["pingora_proxy", "pingora_core::protocols", "pingora_core::apps", "rmcp"].map(|t| (t, LevelFilter::OFF)),
    )
}

const fn level_filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::Level;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, level: LogLevel, log: impl Fn()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::registry()
            .with(super::lines(format, move || writer.clone(), false))
            .with(filter(level));
        tracing::subscriber::with_default(subscriber, log);
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn json_is_one_object_a_line_whatever_the_values() {
        let text = logged(LogFormat::Json, LogLevel::Info, || {
            tracing::info!(target: "promptgate", listen = "a\nb\u{1b}[2J", "ready");
            tracing::debug!(target: "promptgate", "not asked for");
        });
        let line: serde_json::Value = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!(
            (&line["level"], &line["message"], &line["listen"]),
            (&"INFO".into(), &"ready".into(), &"a\nb\u{1b}[2J".into())
        );
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn a_value_cannot_begin_a_line_of_text() {
        let text = logged(
            LogFormat::Text,
            LogLevel::Info,
            || tracing::warn!(target: "promptgate", client = "a\nb\u{1b}[2J", "refused"),
        );
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn libraries_that_see_requests_are_silent_and_others_only_warn() {
        let filter = filter(LogLevel::Trace);
        for (target, level, expected) in [
            ("promptgate::proxy", Level::TRACE, true),
            ("pingora_core::server", Level::WARN, true),
            ("pingora_core::server", Level::INFO, false),
            ("pingora_core::protocols::http::v1::server", Level::ERROR, false),
            ("pingora_core::apps::http_app", Level::ERROR, false),
            ("pingora_proxy", Level::ERROR, false),
            ("pingora_proxy::proxy_h1", Level::ERROR, false),
            ("h2::codec", Level::DEBUG, false),
            ("rustls", Level::WARN, true),
        ] {
            assert_eq!(filter.would_enable(target, &level), expected, "{target} {level}");
        }
        assert!(!super::filter(LogLevel::Error).would_enable("rustls", &Level::WARN));
    }
}
