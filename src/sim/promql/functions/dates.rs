//! Parts of a date in UTC, from seconds since the epoch.
//!
//! Days to dates by counting eras of 400 years that begin in March, so that the leap day is the last of a year. What is no time
//! (NaN, or beyond 64 bits) is read as the earliest one, and wraps around, as Prometheus does it on amd64.

/// From a value to a part of the date.
pub type DateFunction = fn(f64) -> f64;

const DAY_SECONDS: u64 = 86_400;
/// Days of 400 years.
const ERA_DAYS: u64 = 146_097;
/// Years that the count of days begins before the year 0, on the first of March.
const YEARS_BEFORE: i64 = 292_277_022_400;
/// Seconds from there to the epoch: the years before 0, and 719,468 days from March of the year 0 to the epoch.
const EPOCH_SECONDS: i64 = (YEARS_BEFORE / 400 * ERA_DAYS as i64 + 719_468) * DAY_SECONDS as i64;

/// All of them; without an argument they look at the step's time.
pub static DATE_FUNCTIONS: [(&str, DateFunction); 8] = [
    ("day_of_month", |value| date(value).2 as f64),
    // The first day was a Wednesday.
    ("day_of_week", |value| ((days(value) + 3) % 7) as f64),
    ("day_of_year", day_of_year),
    ("days_in_month", days_in_month),
    ("hour", |value| (absolute(value) % DAY_SECONDS / 3600) as f64),
    ("minute", |value| (absolute(value) % 3600 / 60) as f64),
    ("month", |value| date(value).1 as f64),
    ("year", |value| date(value).0 as f64),
];

/// Seconds since the first day; the fraction is cut off.
fn absolute(value: f64) -> u64 {
    let fits = value.abs() < -(i64::MIN as f64);
    let seconds = if fits { value as i64 } else { i64::MIN };
    seconds.wrapping_add(EPOCH_SECONDS).cast_unsigned()
}

fn days(value: f64) -> u64 {
    absolute(value) / DAY_SECONDS
}

/// Year, month and day.
fn date(value: f64) -> (i64, u64, u64) {
    let (era, day_of_era) = (days(value) / ERA_DAYS, days(value) % ERA_DAYS);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = (era * 400 + year_of_era).cast_signed() - YEARS_BEFORE;
    (year + i64::from(month <= 2), month, day)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_in_month(value: f64) -> f64 {
    let (year, month, _) = date(value);
    days_in(year, month) as f64
}

fn day_of_year(value: f64) -> f64 {
    let (year, month, day) = date(value);
    ((1..month).map(|earlier| days_in(year, earlier)).sum::<u64>() + day) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_before_and_after_the_epoch() {
        assert_eq!(date(0.0), (1970, 1, 1));
        assert_eq!(date(-1.0), (1969, 12, 31));
        assert_eq!(date(951_782_400.9), (2000, 2, 29));
        assert_eq!(day_of_year(1_735_603_200.0), 366.0);
    }
}
