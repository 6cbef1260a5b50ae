//! Variable-length integers inside record batches.
//!
//! Seven bits a byte, low bits first, the top bit of a byte says that more follow. Signed numbers are zigzag-coded, so that small
//! negative ones stay short: 0, -1, 1, -2 ... become 0, 1, 2, 3 ...

/// Appends a signed number.
pub fn put_varint(buffer: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        buffer.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    buffer.push(rest as u8);
}

/// Bytes that [`put_varint`] appends.
#[must_use]
pub fn varint_size(value: i64) -> usize {
    let zigzag = ((value << 1) ^ (value >> 63)) as u64;
    (64 - (zigzag | 1).leading_zeros() as usize).div_ceil(7)
}

/// Takes a signed 64-bit number from the front of `bytes`; `None` if it does not end, or overflows.
#[inline]
pub fn take_varlong(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0u64;
    for (i, byte) in bytes.iter().enumerate().take(10) {
        if i == 9 && *byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            *bytes = &bytes[i + 1..];
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    None
}

/// Takes a signed 32-bit number from the front of `bytes`; `None` if it does not end, or overflows.
#[inline]
pub fn take_varint(bytes: &mut &[u8]) -> Option<i32> {
    i32::try_from(take_varlong(bytes)?).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_number_comes_back(value: i64, shift in 0..64u32) {
            let value = value >> shift;
            let mut buffer = Vec::new();
            put_varint(&mut buffer, value);
            prop_assert_eq!(buffer.len(), varint_size(value));
            let mut rest = buffer.as_slice();
            prop_assert_eq!(take_varlong(&mut rest), Some(value));
            prop_assert!(rest.is_empty());
            prop_assert_eq!(take_varint(&mut buffer.as_slice()), i32::try_from(value).ok());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = take_varlong(&mut bytes.as_slice());
        }
    }

    #[test]
    fn a_number_without_end_is_refused() {
        assert_eq!(take_varlong(&mut [0xff; 10].as_slice()), None);
        assert_eq!(take_varlong(&mut [0xff; 3].as_slice()), None);
        assert_eq!(take_varlong(&mut [].as_slice()), None);
    }
}
