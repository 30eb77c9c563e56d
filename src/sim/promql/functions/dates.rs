//! Parts of a date in UTC, from seconds since the epoch.
//!
//! Days to dates by counting eras of 400 years that begin in March, so that the leap day is the last of a year.

/// From seconds to a part of the date.
pub type DateFunction = fn(i64) -> f64;

const DAY_SECONDS: i64 = 86_400;
/// Days of 400 years.
const ERA_DAYS: i64 = 146_097;
/// Days from 0000-03-01 to the epoch.
const EPOCH_DAY: i64 = 719_468;

/// All of them; without an argument they look at the step's time.
pub static DATE_FUNCTIONS: [(&str, DateFunction); 8] = [
    ("day_of_month", |seconds| date(seconds).2 as f64),
    ("day_of_week", |seconds| (seconds.div_euclid(DAY_SECONDS) + 4).rem_euclid(7) as f64),
    ("day_of_year", day_of_year),
    ("days_in_month", days_in_month),
    ("hour", |seconds| (seconds.rem_euclid(DAY_SECONDS) / 3600) as f64),
    ("minute", |seconds| (seconds.rem_euclid(3600) / 60) as f64),
    ("month", |seconds| date(seconds).1 as f64),
    ("year", |seconds| date(seconds).0 as f64),
];

/// Year, month and day.
fn date(seconds: i64) -> (i64, i64, i64) {
    let day = seconds.div_euclid(DAY_SECONDS) + EPOCH_DAY;
    let (era, day_of_era) = (day.div_euclid(ERA_DAYS), day.rem_euclid(ERA_DAYS));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_in_month(seconds: i64) -> f64 {
    let (year, month, _) = date(seconds);
    days_in(year, month) as f64
}

fn day_of_year(seconds: i64) -> f64 {
    let (year, month, day) = date(seconds);
    ((1..month).map(|earlier| days_in(year, earlier)).sum::<i64>() + day) as f64
}

/// Seconds of a value, as far as there are dates: a value that is none, or further than that, has none.
pub fn seconds(value: f64) -> Option<i64> {
    (value.abs() < 1e15).then_some(value as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_before_and_after_the_epoch() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(-1), (1969, 12, 31));
        assert_eq!(date(951_782_400), (2000, 2, 29));
        assert_eq!(day_of_year(1_735_603_200), 366.0);
    }
}
