//! A point in time as RFC 3339 text in UTC. Parses nothing.

use std::time::{SystemTime, UNIX_EPOCH};

/// To the microsecond. A time before 1970 is written as 1970.
pub fn format(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let mut text = String::with_capacity("1970-01-01T00:00:00.000000Z".len());
    let parts = [
        (year, 4, '-'),
        (month, 2, '-'),
        (day, 2, 'T'),
        (hour, 2, ':'),
        (minute, 2, ':'),
        (second, 2, '.'),
        (u64::from(since.subsec_micros()), 6, 'Z'),
    ];
    for (number, digits, behind) in parts {
        write(&mut text, number, digits);
        text.push(behind);
    }
    text
}

/// At least so many digits. Every record has its time, and formatting in general takes ten times as long.
fn write(text: &mut String, number: u64, digits: u32) {
    let least = 10_u64.pow(digits - 1);
    let highest = if number < least { least } else { 10_u64.pow(number.ilog10()) };
    let places = std::iter::successors(Some(highest), |place| Some(place / 10).filter(|place| *place > 0));
    text.extend(places.map(|place| char::from(b'0' + (number / place % 10) as u8)));
}

/// Year, month and day of a number of days since 1970-01-01: Howard Hinnant's `civil_from_days`, whose years begin in March.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn known_times_are_written_as_known() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_399, "2000-02-28T23:59:59.000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000Z"),
            (1_709_164_800, "2024-02-29T00:00:00.000000Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(format(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }
}
