//! What a refusal for a limit says in headers, by API. Names were taken from the documentation of OpenAI, Azure and Anthropic;
//! the others say no more than `Retry-After`.

use std::time::Duration;

use super::Family;

/// A limit that was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// `requests` or `tokens`.
    pub unit: &'static str,
    pub limit: u64,
    pub remaining: u64,
    /// Until all of it is there again, and the time of that in RFC 3339.
    pub reset: Duration,
    pub reset_at: String,
}

impl Family {
    pub fn quota_headers(self, quota: &Quota) -> Vec<(String, String)> {
        let Quota { unit, limit, remaining, reset, reset_at } = quota;
        match self {
            Family::OpenAi | Family::Azure => vec![
                (format!("x-ratelimit-limit-{unit}"), limit.to_string()),
                (format!("x-ratelimit-remaining-{unit}"), remaining.to_string()),
                (format!("x-ratelimit-reset-{unit}"), clock(*reset)),
            ],
            Family::Anthropic => vec![
                (format!("anthropic-ratelimit-{unit}-limit"), limit.to_string()),
                (format!("anthropic-ratelimit-{unit}-remaining"), remaining.to_string()),
                (format!("anthropic-ratelimit-{unit}-reset"), reset_at.clone()),
            ],
            Family::Gemini | Family::Ollama | Family::Cohere | Family::Mistral | Family::Bedrock | Family::Mcp => {
                Vec::new()
            }
        }
    }
}

/// As OpenAI writes a duration: `6m0s`, `1s`, `12ms`.
fn clock(duration: Duration) -> String {
    let (hours, minutes, seconds) = (duration.as_secs() / 3600, duration.as_secs() / 60 % 60, duration.as_secs() % 60);
    match (hours, minutes) {
        (0, 0) if seconds == 0 => format!("{}ms", duration.as_millis()),
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_written_as_openai_writes_it() {
        for (millis, expected) in
            [(0, "0ms"), (12, "12ms"), (1_000, "1s"), (59_999, "59s"), (360_000, "6m0s"), (86_400_000, "24h0m0s")]
        {
            assert_eq!(clock(Duration::from_millis(millis)), expected);
        }
    }

    #[test]
    fn a_reached_limit_is_told_in_the_headers_of_the_api() {
        let reset_at = "2026-11-27T00:00:00Z".to_owned();
        let quota = Quota { unit: "tokens", limit: 90, remaining: 7, reset: Duration::from_secs(50), reset_at };
        let of = |family: Family| quota.clone_headers(family);
        assert_eq!(
            of(Family::OpenAi),
            ["x-ratelimit-limit-tokens: 90", "x-ratelimit-remaining-tokens: 7", "x-ratelimit-reset-tokens: 50s"]
        );
        assert_eq!(
            of(Family::Anthropic),
            [
                "anthropic-ratelimit-tokens-limit: 90",
                "anthropic-ratelimit-tokens-remaining: 7",
                "anthropic-ratelimit-tokens-reset: 2026-11-27T00:00:00Z"
            ]
        );
        assert_eq!(of(Family::Bedrock), [""; 0]);
    }

    impl Quota {
        fn clone_headers(&self, family: Family) -> Vec<String> {
            family.quota_headers(self).into_iter().map(|(name, value)| format!("{name}: {value}")).collect()
        }
    }
}
