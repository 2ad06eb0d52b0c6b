//! What callers get when something cannot go on: the gateway's own limits, and upstreams that do not do their part.

use crate::client::Ask;
use crate::site::Site;

const CHAT: &str = "/v1/chat/completions";

#[tokio::test]
async fn a_request_that_cannot_be_inspected_in_time_is_refused_and_never_whole_upstream() {
    let site = Site::start("[timeouts]\ninspection = \"1ms\"\n");
    let body = format!(r#"{{"a":"{}"}}"#, "harmless words ".repeat(200_000));
    for ask in [Ask::post(CHAT, body.as_str()), Ask::post(CHAT, body.as_str()).chunked(60_000)] {
        let reply = ask.send(site.address()).await;
        assert_eq!((reply.status(), reply.header("retry-after")), (503, Some("1")), "{}", reply.text());
        assert_eq!(reply.json()["error"]["code"], "inspection_timeout");
        assert!(site.upstream.requests(&ask.id()).iter().all(|seen| !seen.body.complete));
        assert_eq!(site.gateway.record(&ask.id()).await["verdict"], "failed");
    }
}
