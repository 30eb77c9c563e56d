//! Amounts such as `250m`, `1.5Gi` or `2e3`, exact to the nano as in the API server.
//!
//! Takes text, gives an exact number that compares, adds and prints in canonical form. Never uses floating point.

use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, AddAssign, Mul, Neg, Sub, SubAssign};

/// Nanos per unit.
const NANO: i128 = 1_000_000_000;

/// The text that the server gives for anything that is not a quantity at all.
pub const FORMAT_ERROR: &str = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
/// The text for a number followed by an unknown suffix.
pub const SUFFIX_ERROR: &str = "unable to parse quantity's suffix";

/// Decimal suffixes with their powers of ten.
const DECIMAL: [(&str, i32); 10] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
/// Binary suffixes; the index plus one is the power of 1024.
const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/// How the amount was written, which decides how it prints.
#[derive(Clone, Copy, Debug, Default)]
enum Form {
    #[default]
    DecimalSi,
    BinarySi,
    DecimalExponent,
}

/// An exact amount. Equality and order look at the number only: `1` equals `1000m`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quantity {
    nanos: i128,
    form: Form,
}

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self { nanos: 0, form: Form::DecimalSi };

    /// A whole number of units.
    pub fn from_units(units: i64) -> Self {
        Self { nanos: i128::from(units) * NANO, form: Form::DecimalSi }
    }

    /// A whole number of thousandths.
    pub fn from_millis(millis: i64) -> Self {
        Self { nanos: i128::from(millis) * (NANO / 1000), form: Form::DecimalSi }
    }

    /// The same amount, printed with binary suffixes where it can be.
    pub fn in_binary(self) -> Self {
        Self { form: Form::BinarySi, ..self }
    }

    /// Reads the text form. Finer than a nano is rounded away from zero, as in the server.
    ///
    /// # Errors
    /// The server's text for malformed quantities.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (negative, rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, suffix) = rest.split_at(number_end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') || !suffix_is_plausible(suffix) {
            return Err(FORMAT_ERROR.to_owned());
        }
        let (scale, form) = read_suffix(suffix).ok_or_else(|| SUFFIX_ERROR.to_owned())?;
        let nanos = scaled(whole, fraction, scale);
        Ok(Self { nanos: if negative { -nanos } else { nanos }, form })
    }

    /// Reads a JSON value: text, or a bare number as YAML authors write it.
    ///
    /// # Errors
    /// The server's text for malformed quantities.
    pub fn from_json(value: &serde_json::Value) -> Result<Self, String> {
        match value {
            serde_json::Value::String(text) => Self::parse(text),
            serde_json::Value::Number(number) => Self::parse(&number.to_string()),
            _ => Err(FORMAT_ERROR.to_owned()),
        }
    }

    /// Units, rounded away from zero, saturating at the range of `i64`.
    pub fn units(self) -> i64 {
        saturate(divide_away_from_zero(self.nanos, NANO))
    }

    /// Thousandths, rounded away from zero, saturating at the range of `i64`.
    pub fn millis(self) -> i64 {
        saturate(divide_away_from_zero(self.nanos, NANO / 1000))
    }

    /// Exact number of nanos.
    pub fn nanos(self) -> i128 {
        self.nanos
    }

    /// Whether this is nothing.
    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// Whether this is less than nothing.
    pub fn is_negative(self) -> bool {
        self.nanos < 0
    }

    /// Whether this is a whole number of units, as extended resources must be.
    pub fn is_integer(self) -> bool {
        self.nanos % NANO == 0
    }
}

fn suffix_is_plausible(suffix: &str) -> bool {
    let letters = suffix.trim_start_matches(|c: char| "eEinumkKMGTP".contains(c));
    let digits = letters.strip_prefix(['-', '+']).unwrap_or(letters);
    digits.chars().all(|c| c.is_ascii_digit())
}

/// What a suffix multiplies by.
#[derive(Clone, Copy)]
enum Scale {
    Ten(i32),
    Binary(u32),
}

fn read_suffix(suffix: &str) -> Option<(Scale, Form)> {
    if let Some((_, power)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        return Some((Scale::Ten(*power), Form::DecimalSi));
    }
    if let Some(index) = BINARY.iter().position(|name| *name == suffix) {
        return Some((Scale::Binary(10 * (index as u32 + 1)), Form::BinarySi));
    }
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    Some((Scale::Ten(exponent), Form::DecimalExponent))
}

/// The number in nanos; beyond what is representable it becomes the greatest amount that the server allows.
fn scaled(whole: &str, fraction: &str, scale: Scale) -> i128 {
    let greatest = i128::from(i64::MAX) * NANO;
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return 0;
    }
    let Ok(mantissa) = digits.parse::<i128>() else { return greatest };
    let below = fraction.len() as i32;
    match scale {
        Scale::Ten(power) => shift_ten(mantissa, power.saturating_sub(below).saturating_add(9)).unwrap_or(greatest),
        Scale::Binary(bits) => {
            let Some(shifted) = mantissa.checked_mul(1_i128 << bits) else { return greatest };
            shift_ten(shifted, 9 - below).unwrap_or(greatest)
        }
    }
}

/// `mantissa * 10^power`, rounded up; `None` on overflow.
fn shift_ten(mantissa: i128, power: i32) -> Option<i128> {
    if power >= 0 {
        return 10_i128.checked_pow(power.unsigned_abs()).and_then(|factor| mantissa.checked_mul(factor));
    }
    // Beyond 38 digits every mantissa is a fraction of one nano, and a fraction rounds up to one.
    Some(10_i128.checked_pow(power.unsigned_abs()).map_or(1, |divisor| divide_away_from_zero(mantissa, divisor)))
}

fn divide_away_from_zero(value: i128, divisor: i128) -> i128 {
    let quotient = value / divisor;
    if value % divisor == 0 { quotient } else { quotient + value.signum() }
}

fn saturate(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

impl fmt::Display for Quantity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return formatter.write_str("0");
        }
        let whole = self.nanos % NANO == 0;
        match self.form {
            Form::BinarySi if whole && (self.nanos / NANO).abs() >= 1024 => write_binary(formatter, self.nanos / NANO),
            Form::DecimalExponent => {
                let (mantissa, power) = canonical_ten(self.nanos);
                if power == 0 { write!(formatter, "{mantissa}") } else { write!(formatter, "{mantissa}e{power}") }
            }
            Form::BinarySi | Form::DecimalSi => write_decimal(formatter, self.nanos),
        }
    }
}

/// Mantissa and power of ten: the greatest power divisible by three that leaves no fraction.
fn canonical_ten(nanos: i128) -> (i128, i32) {
    let (mut mantissa, mut power) = (nanos, -9);
    while mantissa % 1000 == 0 && power < 18 {
        mantissa /= 1000;
        power += 3;
    }
    (mantissa, power)
}

fn write_decimal(formatter: &mut fmt::Formatter<'_>, nanos: i128) -> fmt::Result {
    let (mantissa, power) = canonical_ten(nanos);
    let suffix = DECIMAL.iter().find(|(_, candidate)| *candidate == power).map_or("", |(suffix, _)| suffix);
    write!(formatter, "{mantissa}{suffix}")
}

fn write_binary(formatter: &mut fmt::Formatter<'_>, units: i128) -> fmt::Result {
    let (mut mantissa, mut power) = (units, 0);
    while mantissa % 1024 == 0 && power < BINARY.len() {
        mantissa /= 1024;
        power += 1;
    }
    write!(formatter, "{mantissa}{}", if power == 0 { "" } else { BINARY[power - 1] })
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

/// Sums print in the form of the first non-zero operand, as in the server.
impl Add for Quantity {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let form = if self.nanos == 0 { other.form } else { self.form };
        Self { nanos: self.nanos.saturating_add(other.nanos), form }
    }
}

impl Sub for Quantity {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Neg for Quantity {
    type Output = Self;
    fn neg(self) -> Self {
        Self { nanos: self.nanos.saturating_neg(), form: self.form }
    }
}

impl Mul<i64> for Quantity {
    type Output = Self;
    fn mul(self, factor: i64) -> Self {
        Self { nanos: self.nanos.saturating_mul(i128::from(factor)), form: self.form }
    }
}

impl AddAssign for Quantity {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Quantity {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl std::iter::Sum for Quantity {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantity(text: &str) -> Quantity {
        Quantity::parse(text).unwrap()
    }

    #[test]
    fn canonical_forms_are_those_of_the_server() {
        let table = [
            ("0", "0"),
            ("0Ki", "0"),
            ("-0", "0"),
            ("1", "1"),
            ("1.5", "1500m"),
            ("1000m", "1"),
            ("1500m", "1500m"),
            ("1000", "1k"),
            ("1024", "1024"),
            ("1Ki", "1Ki"),
            ("1024Ki", "1Mi"),
            ("1.5Gi", "1536Mi"),
            ("0.5Ki", "512"),
            ("0.1Ki", "102400m"),
            ("1000Ki", "1000Ki"),
            ("1e3", "1e3"),
            ("1E3", "1e3"),
            ("12e2", "1200"),
            ("1e-3", "1e-3"),
            ("100e0", "100"),
            ("1e9", "1e9"),
            ("-250m", "-250m"),
            ("+3", "3"),
            (".5", "500m"),
            ("5.", "5"),
            ("1E", "1E"),
            ("1Ei", "1Ei"),
            ("100n", "100n"),
            ("0.0000000001", "1n"),
            ("-0.0000000001", "-1n"),
            ("2000000u", "2"),
            ("16Gi", "16Gi"),
        ];
        for (text, canonical) in table {
            let read = quantity(text);
            assert_eq!(read.to_string(), canonical, "{text}");
            assert_eq!(quantity(canonical), read, "{text} read back");
        }
    }

    #[test]
    fn malformed_quantities_get_the_texts_of_the_server() {
        for text in ["", "abc", "1 Gi", "1.2.3", "Gi", "--1", "1x", ".", "1e5x", "0x10"] {
            assert_eq!(Quantity::parse(text), Err(FORMAT_ERROR.to_owned()), "{text}");
        }
        for text in ["1KiB".trim_end_matches('B').trim_end_matches('i'), "1g".replace('g', "MM").as_str(), "1e", "1Kii", "1mm"] {
            assert_eq!(Quantity::parse(text), Err(SUFFIX_ERROR.to_owned()), "{text}");
        }
    }

    #[test]
    fn order_and_equality_look_at_the_number_only() {
        assert_eq!(quantity("1"), quantity("1000m"));
        assert!(quantity("1Gi") > quantity("1G"));
        assert!(quantity("-1") < quantity("0"));
        assert_eq!(quantity("8E").cmp(&quantity("8000P")), Ordering::Equal);
    }

    #[test]
    fn sums_are_exact_and_keep_the_form_of_the_first_operand() {
        assert_eq!((quantity("100m") + quantity("0.2")).to_string(), "300m");
        assert_eq!((quantity("0") + quantity("1Gi") + quantity("1Gi")).to_string(), "2Gi");
        assert_eq!((quantity("2Gi") - quantity("512Mi")).to_string(), "1536Mi");
        assert_eq!([quantity("1"), quantity("1"), quantity("500m")].into_iter().sum::<Quantity>().to_string(), "2500m");
        assert_eq!((quantity("250m") * 3).to_string(), "750m");
    }

    #[test]
    fn rounding_to_units_goes_away_from_zero() {
        assert_eq!((quantity("1100m").units(), quantity("-1100m").units()), (2, -2));
        assert_eq!(quantity("0.0001").millis(), 1);
        assert!(quantity("2").is_integer() && !quantity("2500m").is_integer());
    }

    #[test]
    fn absurd_amounts_saturate_instead_of_wrapping() {
        assert_eq!(quantity("999999999999999999999999999999999999999999").units(), i64::MAX);
        assert_eq!(quantity("1e60").units(), i64::MAX);
        assert_eq!(quantity("1e-60").nanos(), 1);
    }
}
