//! Functions of one value.

/// From a value to a value.
pub type MapFunction = fn(f64) -> f64;

/// All functions with one vector argument and nothing else.
pub static MAP_FUNCTIONS: [(&str, MapFunction); 23] = [
    ("abs", f64::abs),
    ("acos", f64::acos),
    ("acosh", f64::acosh),
    ("asin", f64::asin),
    ("asinh", f64::asinh),
    ("atan", f64::atan),
    ("atanh", f64::atanh),
    ("ceil", f64::ceil),
    ("cos", f64::cos),
    ("cosh", f64::cosh),
    ("deg", degrees),
    ("exp", f64::exp),
    ("floor", f64::floor),
    ("ln", f64::ln),
    ("log10", f64::log10),
    ("log2", f64::log2),
    ("rad", radians),
    ("sgn", sign),
    ("sin", f64::sin),
    ("sinh", f64::sinh),
    ("sqrt", f64::sqrt),
    ("tan", f64::tan),
    ("tanh", f64::tanh),
];

fn degrees(value: f64) -> f64 {
    value * (180.0 / std::f64::consts::PI)
}

fn radians(value: f64) -> f64 {
    value * (std::f64::consts::PI / 180.0)
}

/// Zero keeps its sign, NaN stays NaN.
fn sign(value: f64) -> f64 {
    if value < 0.0 {
        -1.0
    } else if value > 0.0 {
        1.0
    } else {
        value
    }
}

/// The smaller one; negative infinity even of NaN, else NaN of NaN.
fn smaller(left: f64, right: f64) -> f64 {
    if left == f64::NEG_INFINITY || right == f64::NEG_INFINITY {
        f64::NEG_INFINITY
    } else if left.is_nan() || right.is_nan() {
        f64::NAN
    } else {
        left.min(right)
    }
}

/// Into bounds. NaN gives NaN, except that an infinite number wins over it on the side where it lies, as in Go's library.
pub fn clamp(value: f64, low: f64, high: f64) -> f64 {
    -smaller(-low, -smaller(high, value))
}

/// To the nearest multiple, halves up.
pub fn round(value: f64, to: f64) -> f64 {
    let inverse = 1.0 / to;
    (value * inverse + 0.5).floor() / inverse
}
