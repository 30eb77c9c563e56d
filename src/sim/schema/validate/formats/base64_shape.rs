//! Whether a text is padded standard base64, without decoding it.

/// As Go's strict decoder sees it, which skips line breaks.
pub fn is_base64(text: &str) -> bool {
    let bytes: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
    let body = bytes.iter().position(|byte| *byte == b'=').unwrap_or(bytes.len());
    let padding = bytes.len() - body;
    bytes.len().is_multiple_of(4)
        && padding <= 2
        && bytes[..body].iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
        && bytes[body..].iter().all(|byte| *byte == b'=')
}
