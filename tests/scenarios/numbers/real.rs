//! The numbers of the real arm.

use super::{Numbers, Source, To};

pub struct Real;

impl Numbers for Real {
    fn requests(&self, _: &[(To, f64)]) { unimplemented!() }
    fn fails(&self, _: &str, _: f64) { unimplemented!() }
    fn latency(&self, _: &str, _: u64, _: u64) { unimplemented!() }
    fn source(&self, _: Source) { unimplemented!() }
}
