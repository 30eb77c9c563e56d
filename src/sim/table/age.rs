//! Ages for people: `3m20s`, `5d`, `2y17d`.

use jiff::Timestamp;

/// The age of an RFC 3339 time: `<unknown>` if empty, `<invalid>` if it is no time.
pub fn since_text(time: &str, now: Timestamp) -> String {
    if time.is_empty() {
        return "<unknown>".to_owned();
    }
    time.parse::<Timestamp>().map_or_else(|_| "<invalid>".to_owned(), |time| between(time, now))
}

/// From `then` to `now`; times up to a second ahead count as now, later ones are `<invalid>`.
pub fn between(then: Timestamp, now: Timestamp) -> String {
    short(now.as_second() - then.as_second())
}

/// At most two units, the second only while it still matters.
pub fn short(seconds: i64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let two = |large: i64, unit: char, small: i64, small_unit: char| {
        if small == 0 { format!("{large}{unit}") } else { format!("{large}{unit}{small}{small_unit}") }
    };
    match () {
        () if seconds < -1 => "<invalid>".to_owned(),
        () if seconds < 0 => "0s".to_owned(),
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => two(minutes, 'm', seconds % 60, 's'),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => two(hours, 'h', minutes % 60, 'm'),
        () if hours < 48 => format!("{hours}h"),
        () if hours < 192 => two(hours / 24, 'd', hours % 24, 'h'),
        () if hours < 24 * 365 * 2 => format!("{}d", hours / 24),
        () if hours < 24 * 365 * 8 => two(hours / 24 / 365, 'y', hours / 24 % 365, 'd'),
        () => format!("{}y", hours / 24 / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::{short, since_text};

    #[test]
    fn ages_lose_detail_as_they_grow() {
        let hour = 3600;
        let day = 24 * hour;
        for (seconds, text) in [
            (-2, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (600, "10m"),
            (179 * 60, "179m"),
            (3 * hour, "3h"),
            (3 * hour + 120, "3h2m"),
            (8 * hour + 120, "8h"),
            (2 * day, "2d"),
            (3 * day + hour, "3d1h"),
            (8 * day + hour, "8d"),
            (730 * day, "2y"),
            (731 * day, "2y1d"),
            (365 * 9 * day, "9y"),
        ] {
            assert_eq!(short(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn what_is_no_time_is_said_so() {
        let now = "2026-01-01T00:01:00Z".parse().unwrap();
        assert_eq!(since_text("2026-01-01T00:00:00Z", now), "60s");
        assert_eq!(since_text("", now), "<unknown>");
        assert_eq!(since_text("yesterday", now), "<invalid>");
    }
}
