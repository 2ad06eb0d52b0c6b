//! What replicas share, against a real Redis, which each case starts for itself.
//!
//! A harness of its own: where no `redis-server` is on the `PATH` the cases are listed as ignored, not as passed.

#[path = "../gateway/client.rs"]
#[expect(dead_code, reason = "the gateway's own tests use the rest")]
mod client;
#[path = "../gateway/http1.rs"]
#[expect(dead_code, reason = "the gateway's own tests use the rest")]
mod http1;
#[path = "../gateway/process.rs"]
#[expect(dead_code, reason = "the gateway's own tests use the rest")]
mod process;
#[path = "../gateway/site.rs"]
#[expect(dead_code, reason = "the gateway's own tests use the rest")]
mod site;
#[path = "../gateway/upstream.rs"]
#[expect(dead_code, reason = "the gateway's own tests use the rest")]
mod upstream;

mod fleet;
mod limits;
mod server;
mod topology;
mod vault;

use std::process::{Command, ExitCode};

use server::{CERT, TRUST, has_redis};

/// Names and functions, from the functions.
macro_rules! cases {
    ($($module:ident::$name:ident,)+) => {
        &[$((concat!(stringify!($module), "::", stringify!($name)), || block_on($module::$name()))),+]
    };
}

const CASES: &[(&str, fn())] = cases![
    fleet::a_level_that_is_changed_on_one_replica_holds_on_all_within_a_second,
    fleet::a_replica_that_starts_later_has_the_level_and_the_policy_from_its_first_request_on,
    fleet::the_level_of_a_caller_is_the_same_on_all_and_on_a_redis_that_lost_its_memory,
    fleet::a_change_is_seen_where_nobody_announces_it,
    fleet::whoever_is_revoked_on_one_replica_is_refused_by_all_and_by_those_that_start_later,
    fleet::a_revocation_ends_when_it_was_to_end,
    fleet::without_redis_the_last_level_stays_and_is_not_changed,
    fleet::a_replica_that_never_saw_the_revocations_serves_or_refuses_as_the_operator_says,
    fleet::a_redis_that_is_killed_ten_times_under_load_loses_nothing_it_acknowledged_and_is_found_again,
    fleet::a_redis_that_lost_its_memory_is_given_it_back,
    fleet::what_redis_holds_that_means_nothing_changes_nothing_and_is_told,
    fleet::another_redis_is_followed_after_a_reload,
    limits::three_replicas_let_through_what_one_would,
    limits::requests_under_way_on_all_replicas_are_counted_together,
    limits::tokens_used_on_one_replica_are_owed_on_another,
    limits::a_request_refused_for_its_body_gives_back_what_its_head_took,
    limits::without_redis_each_replica_counts_alone_or_none_serves_as_the_operator_says,
    limits::a_redis_that_does_not_answer_is_waited_for_once_a_second,
    limits::a_redis_that_is_killed_ten_times_under_load_holds_nobody_up,
    limits::a_replica_that_was_killed_leaves_its_places_in_a_minute,
    topology::over_tls_an_authority_of_its_own_is_trusted_and_no_other,
    topology::where_the_master_is_killed_the_gateway_follows_to_the_promoted_one,
    topology::a_cluster_is_one_redis_to_all_uses,
    vault::what_was_stored_is_loaded_by_the_same_tenant_alone,
    vault::a_gateway_that_was_started_again_reads_it_with_the_same_key_alone,
    vault::a_record_is_forgotten_after_its_lifetime,
    vault::a_later_turn_takes_the_place_of_an_earlier_one,
    vault::nothing_in_redis_can_be_read,
    vault::a_record_that_does_not_open_is_told_from_one_that_is_not_there,
    vault::what_is_too_much_is_not_stored,
    vault::without_a_server_there_is_an_error_in_time_and_with_it_again_a_connection,
    vault::a_server_that_does_not_answer_is_not_waited_for,
    vault::a_server_that_stops_in_between_is_given_up_and_found_again,
    vault::a_connection_that_the_server_closed_costs_nobody_an_answer,
    vault::where_the_server_became_a_replica_the_master_is_looked_for,
    vault::a_password_is_shown_and_a_wrong_one_told_without_it,
    vault::over_tls_the_server_is_checked,
    vault::a_placeholder_of_an_earlier_answer_is_given_back_to_its_tenant_alone,
    vault::a_redis_that_is_killed_ten_times_under_load_holds_nobody_up_and_is_found_again,
    vault::without_redis_a_conversation_goes_on_or_is_refused_as_the_operator_says,
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // What the system trusts is read from where this variable says; a process cannot safely set its own.
    if std::env::var_os(TRUST).is_none_or(|file| file != CERT) {
        let this = std::env::current_exe().expect("the path of this program");
        let status = Command::new(this).args(&arguments).env(TRUST, CERT).status().expect("it runs again");
        return if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let (flags, filters): (Vec<&String>, Vec<&String>) = arguments.iter().partition(|word| word.starts_with('-'));
    let chosen: Vec<_> =
        CASES.iter().filter(|(name, _)| filters.is_empty() || filters.iter().any(|f| name.contains(&***f))).collect();
    if flags.iter().any(|flag| *flag == "--list") {
        chosen.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let filtered = CASES.len() - chosen.len();
    if !has_redis() {
        chosen.iter().for_each(|(name, _)| println!("test {name} ... ignored, no redis-server on the PATH"));
        println!("test result: ok. 0 passed; 0 failed; {} ignored; 0 measured; {filtered} filtered out", chosen.len());
        return ExitCode::SUCCESS;
    }
    let failed = chosen.iter().filter(|(name, case)| !passes(name, *case)).count();
    let (word, passed) = (if failed == 0 { "ok" } else { "FAILED" }, chosen.len() - failed);
    println!("test result: {word}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {filtered} filtered out");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn passes(name: &str, case: fn()) -> bool {
    let passed = std::thread::spawn(case).join().is_ok();
    println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
    passed
}

fn block_on(case: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(case);
}
