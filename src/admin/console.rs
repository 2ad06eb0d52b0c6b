//! `GET /console`: pages for people who look after a gateway. The texts are part of the binary and hold no data; what they
//! show they ask the other endpoints for, with the token their reader gives them.

use std::sync::Arc;

use super::App;
use super::page::{CSS, HTML, JAVASCRIPT, SVG, asset, text};
use super::route::{Answer, Route};

pub(super) const PAGE: Route = asset("/console", HTML, "The admin console", page);
pub(super) const STYLE: Route = asset("/console/console.css", CSS, "What the console looks like", style);
pub(super) const SCRIPT: Route = asset("/console/console.js", JAVASCRIPT, "What the console does", script);
pub(super) const VIEWS: Route = asset("/console/views.js", JAVASCRIPT, "What the console shows", views);
pub(super) const ICON: Route = asset("/console/icon.svg", SVG, "The icon of the console", icon);

fn page(_: Arc<App>) -> Answer {
    text(HTML, include_str!("console/console.html"))
}

fn style(_: Arc<App>) -> Answer {
    text(CSS, include_str!("console/console.css"))
}

fn script(_: Arc<App>) -> Answer {
    text(JAVASCRIPT, include_str!("console/console.js"))
}

fn views(_: Arc<App>) -> Answer {
    text(JAVASCRIPT, include_str!("console/views.js"))
}

fn icon(_: Arc<App>) -> Answer {
    text(SVG, include_str!("console/icon.svg"))
}
