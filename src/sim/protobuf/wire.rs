//! The protobuf wire format: bytes to numbered entries. Knows nothing of messages.

/// Bytes that are no protobuf, and why.
#[derive(Debug)]
pub(super) struct Malformed(pub(super) String);

/// A value as it lies on the wire.
pub(super) enum Raw<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

impl<'a> Raw<'a> {
    pub(super) fn bytes(&self) -> Result<&'a [u8], Malformed> {
        if let Raw::Bytes(bytes) = self { Ok(bytes) } else { Err(Malformed("a number where bytes are expected".to_owned())) }
    }

    pub(super) fn number(&self) -> Result<u64, Malformed> {
        match self {
            Raw::Varint(number) | Raw::Fixed64(number) => Ok(*number),
            Raw::Fixed32(number) => Ok(u64::from(*number)),
            Raw::Bytes(_) => Err(Malformed("bytes where a number is expected".to_owned())),
        }
    }

    pub(super) fn double(&self) -> Result<f64, Malformed> {
        match self {
            Raw::Fixed64(bits) => Ok(f64::from_bits(*bits)),
            Raw::Fixed32(bits) => Ok(f64::from(f32::from_bits(*bits))),
            _ => Err(Malformed("no floating-point number".to_owned())),
        }
    }
}

/// One numbered value of a message.
pub(super) struct Entry<'a> {
    pub(super) number: u32,
    pub(super) raw: Raw<'a>,
}

/// The entries of a message in order; ends after the first error.
pub(super) fn entries(bytes: &[u8]) -> impl Iterator<Item = Result<Entry<'_>, Malformed>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        Some(match entry(rest) {
            Ok((entry, after)) => {
                rest = after;
                Ok(entry)
            }
            Err(error) => {
                rest = &[];
                Err(error)
            }
        })
    })
}

fn entry(bytes: &[u8]) -> Result<(Entry<'_>, &[u8]), Malformed> {
    let (tag, rest) = varint(bytes)?;
    let number = u32::try_from(tag >> 3).map_err(|_| Malformed("field number out of range".to_owned()))?;
    let (raw, rest) = match tag & 7 {
        0 => {
            let (value, rest) = varint(rest)?;
            (Raw::Varint(value), rest)
        }
        1 => {
            let (fixed, rest) = rest.split_first_chunk::<8>().ok_or_else(truncated)?;
            (Raw::Fixed64(u64::from_le_bytes(*fixed)), rest)
        }
        2 => {
            let (length, rest) = varint(rest)?;
            let length = usize::try_from(length).map_err(|_| truncated())?;
            let (inner, rest) = rest.split_at_checked(length).ok_or_else(truncated)?;
            (Raw::Bytes(inner), rest)
        }
        5 => {
            let (fixed, rest) = rest.split_first_chunk::<4>().ok_or_else(truncated)?;
            (Raw::Fixed32(u32::from_le_bytes(*fixed)), rest)
        }
        other => return Err(Malformed(format!("wire type {other}"))),
    };
    Ok((Entry { number, raw }, rest))
}

/// A variable-length number and the bytes behind it.
pub(super) fn varint(bytes: &[u8]) -> Result<(u64, &[u8]), Malformed> {
    let mut value = 0u64;
    for (position, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * position);
        if byte & 0x80 == 0 {
            return Ok((value, &bytes[position + 1..]));
        }
    }
    Err(truncated())
}

pub(super) fn text(bytes: &[u8]) -> Result<String, Malformed> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Malformed("text that is not UTF-8".to_owned()))
}

fn truncated() -> Malformed {
    Malformed("unexpected end".to_owned())
}
