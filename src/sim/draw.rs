//! Draws that do not depend on the order of events.
//!
//! Takes a seed, a domain (what is drawn), an identity (for whom) and a number (the how-manieth); gives numbers, uids and
//! name suffixes. Never keeps a state: the same four inputs give the same draw, whatever was drawn before.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

/// Letters and digits of generated names: no vowels, nothing that looks like another character.
const SUFFIX_ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// Length of a generated suffix, in characters.
const SUFFIX_LENGTH: usize = 5;
/// Second half of the hash key: tells these draws from other uses of the same seed.
const KEY_TAIL: u64 = 0x6472_6177_7331_0001;

/// The source of all chance in a simulated cluster.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    seed: u64,
}

impl Draws {
    /// Draws of one seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Sixty-four bits.
    pub fn u64(&self, domain: &str, identity: &str, n: u64) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.seed, KEY_TAIL);
        // Length first, so that ("ab", "c") and ("a", "bc") differ.
        hasher.write(&(domain.len() as u64).to_le_bytes());
        hasher.write(domain.as_bytes());
        hasher.write(&(identity.len() as u64).to_le_bytes());
        hasher.write(identity.as_bytes());
        hasher.write(&n.to_le_bytes());
        hasher.finish()
    }

    /// A number in `[0, 1)`, one of 2^53 equally likely ones.
    pub fn fraction(&self, domain: &str, identity: &str, n: u64) -> f64 {
        (self.u64(domain, identity, n) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number in `0..bound`; 0 if `bound` is 0.
    pub fn below(&self, domain: &str, identity: &str, n: u64, bound: u64) -> u64 {
        ((u128::from(self.u64(domain, identity, n)) * u128::from(bound)) >> 64) as u64
    }

    /// A uid in the form of a version 4 UUID.
    pub fn uid(&self, domain: &str, identity: &str, n: u64) -> String {
        let high = self.u64(domain, identity, n);
        let low = self.u64("uid-low", &format!("{domain}/{identity}"), n);
        let version = (high & 0xffff_ffff_ffff_0fff) | 0x4000;
        let variant = (low & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000;
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            version >> 32,
            (version >> 16) & 0xffff,
            version & 0xffff,
            variant >> 48,
            variant & 0xffff_ffff_ffff
        )
    }

    /// The five characters that the server appends to a `generateName`.
    pub fn suffix(&self, domain: &str, identity: &str, n: u64) -> String {
        let mut rest = self.u64(domain, identity, n);
        let base = SUFFIX_ALPHABET.len() as u64;
        (0..SUFFIX_LENGTH)
            .map(|_| {
                let letter = SUFFIX_ALPHABET[(rest % base) as usize];
                rest /= base;
                char::from(letter)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_only_on_its_four_inputs() {
        let draws = Draws::new(7);
        let first = draws.u64("uid", "pods/t/a", 0);
        draws.u64("uid", "pods/t/b", 0);
        assert_eq!(first, Draws::new(7).u64("uid", "pods/t/a", 0));
        assert_ne!(first, Draws::new(8).u64("uid", "pods/t/a", 0));
        assert_ne!(first, draws.u64("uid", "pods/t/a", 1));
        assert_ne!(draws.u64("ab", "c", 0), draws.u64("a", "bc", 0));
    }

    #[test]
    fn a_uid_has_the_shape_of_a_version_4_uuid() {
        let uid = Draws::new(1).uid("uid", "x", 0);
        assert_eq!(uid.len(), 36);
        let parts: Vec<&str> = uid.split('-').collect();
        assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert!(parts[2].starts_with('4'));
        assert!(matches!(parts[3].as_bytes()[0], b'8' | b'9' | b'a' | b'b'));
    }

    #[test]
    fn a_suffix_has_five_safe_characters() {
        for n in 0..200 {
            let suffix = Draws::new(3).suffix("name", "web-", n);
            assert_eq!(suffix.len(), 5);
            assert!(suffix.bytes().all(|byte| SUFFIX_ALPHABET.contains(&byte)), "{suffix}");
        }
    }

    #[test]
    fn fractions_fill_the_unit_interval() {
        let draws = Draws::new(11);
        let sum: f64 = (0..10_000).map(|n| draws.fraction("f", "x", n)).sum();
        assert!((4_800.0..5_200.0).contains(&sum), "{sum}");
        assert!((0..1_000).all(|n| draws.below("b", "x", n, 7) < 7));
    }
}
