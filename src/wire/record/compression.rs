//! Opening compressed batches, and closing them again.
//!
//! A broker carries compressed records as they are. It opens them where it has to know what is inside: to find the first record at or after
//! a moment, to see the keys of a compacted topic. What comes out is bounded, whatever the bytes claim. Only compaction writes compressed
//! records, those that it leaves of a batch, with the codec that the batch had.
//!
//! ```text
//!   gzip     RFC 1952, perhaps several members
//!   snappy   one raw block (librdkafka), or the framing of the Java library: "\x82SNAPPY\0", two versions, then length and block, repeated
//!   lz4      the LZ4 frame format
//!   zstd     RFC 8878
//! ```

use std::io::{Read, Write};

use bytes::Bytes;

use super::{BatchError, Compression};

/// Most bytes that a batch may hold when opened: far more than any sensible `max.message.bytes` compressed well.
pub const OPENED_MAX: usize = 256 << 20;
/// How the framing of the Java library begins.
const XERIAL_MAGIC: &[u8] = b"\x82SNAPPY\0";
/// Bytes of that beginning, with version and oldest compatible version.
const XERIAL_HEADER: usize = 16;

/// The bytes that were compressed.
///
/// # Errors
/// `Compressed` if the codec is unknown, the bytes are not of it, or they hold too much.
pub fn decompress(codec: Compression, bytes: &Bytes) -> Result<Bytes, BatchError> {
    let opened = match codec {
        Compression::None => return Ok(bytes.clone()),
        Compression::Gzip => read(flate2::read::MultiGzDecoder::new(&bytes[..])),
        Compression::Snappy if bytes.starts_with(XERIAL_MAGIC) => xerial(bytes),
        Compression::Snappy => snappy(bytes),
        Compression::Lz4 => read(lz4_flex::frame::FrameDecoder::new(&bytes[..])),
        Compression::Zstd => ruzstd::decoding::StreamingDecoder::new(&bytes[..]).ok().and_then(read),
        Compression::Unknown(_) => None,
    };
    opened.map(Bytes::from).ok_or(BatchError::Compressed { codec })
}

/// The bytes, compressed the way `former` is: the same codec, and of the two forms of snappy the same one.
///
/// # Errors
/// `Compressed` if the codec is unknown.
pub fn compress(codec: Compression, bytes: &[u8], former: &[u8]) -> Result<Vec<u8>, BatchError> {
    let closed = match codec {
        Compression::None => Some(bytes.to_vec()),
        Compression::Gzip => gzip(bytes).ok(),
        Compression::Snappy if former.starts_with(XERIAL_MAGIC) => {
            snapped(bytes).map(|block| framed(&former[..XERIAL_HEADER], &block))
        }
        Compression::Snappy => snapped(bytes),
        Compression::Lz4 => lz4(bytes),
        Compression::Zstd => Some(ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)),
        Compression::Unknown(_) => None,
    };
    closed.ok_or(BatchError::Compressed { codec })
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn lz4(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

fn snapped(bytes: &[u8]) -> Option<Vec<u8>> {
    snap::raw::Encoder::new().compress_vec(bytes).ok()
}

/// One block in the framing of the Java library.
fn framed(header: &[u8], block: &[u8]) -> Vec<u8> {
    let length = i32::try_from(block.len()).unwrap_or(i32::MAX);
    [header, &length.to_be_bytes(), block].concat()
}

fn read(decoder: impl Read) -> Option<Vec<u8>> {
    let mut opened = Vec::new();
    decoder.take(OPENED_MAX as u64 + 1).read_to_end(&mut opened).ok()?;
    (opened.len() <= OPENED_MAX).then_some(opened)
}

fn snappy(block: &[u8]) -> Option<Vec<u8>> {
    // The length is what the block says of itself: no more than that is allocated.
    let length = snap::raw::decompress_len(block).ok()?;
    // One byte of a block stands for 64 at the most (a copy of three bytes is 64 long).
    let plausible = length <= OPENED_MAX && length <= block.len().saturating_mul(64);
    plausible.then(|| snap::raw::Decoder::new().decompress_vec(block).ok()).flatten()
}

fn xerial(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut rest = bytes.get(XERIAL_HEADER..)?;
    let mut opened = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (block, next) = after.split_at_checked(usize::try_from(i32::from_be_bytes(*length)).ok()?)?;
        opened.extend(snappy(block)?);
        if opened.len() > OPENED_MAX {
            return None;
        }
        rest = next;
    }
    rest.is_empty().then_some(opened)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn text() -> Vec<u8> {
        (0..5000_u32).flat_map(|n| (n % 251).to_be_bytes()).collect()
    }

    fn compressed(codec: Compression) -> Vec<u8> {
        compress(codec, &text(), &[]).unwrap()
    }

    const CODECS: [Compression; 4] = [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

    #[test]
    fn what_was_compressed_comes_out_again() {
        for codec in CODECS {
            assert_eq!(decompress(codec, &compressed(codec).into()).unwrap(), text(), "{codec:?}");
        }
    }

    #[test]
    fn snappy_in_the_framing_of_the_java_library_is_opened_too() {
        let (first, second) = (snap::raw::Encoder::new().compress_vec(b"one ").unwrap(), compressed(Compression::Snappy));
        let mut framed = [XERIAL_MAGIC, &1_i32.to_be_bytes(), &1_i32.to_be_bytes()].concat();
        for block in [&first, &second] {
            framed.extend(i32::try_from(block.len()).unwrap().to_be_bytes());
            framed.extend(block);
        }
        let opened = decompress(Compression::Snappy, &framed.clone().into()).unwrap();
        assert_eq!(opened, [b"one ".to_vec(), text()].concat());
        let again = compress(Compression::Snappy, &opened, &framed).unwrap();
        assert!(again.starts_with(XERIAL_MAGIC), "the framing stays");
        assert_eq!(decompress(Compression::Snappy, &again.into()).unwrap(), opened);
        framed.pop();
        assert!(decompress(Compression::Snappy, &framed.into()).is_err(), "the last block is cut off");
    }

    #[test]
    fn bad_bytes_are_an_error() {
        for codec in CODECS {
            let good = compressed(codec);
            assert!(decompress(codec, &Bytes::from_static(b"no such thing")).is_err(), "{codec:?}");
            assert!(decompress(codec, &Bytes::from(good[..good.len() / 2].to_vec())).is_err(), "{codec:?} cut in half");
        }
        assert!(decompress(Compression::Unknown(5), &Bytes::new()).is_err());
    }

    #[test]
    fn a_block_that_claims_to_be_huge_is_not_believed() {
        // A varint for 2^32 - 1 bytes, and nothing behind it.
        assert!(decompress(Compression::Snappy, &Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 0x0f])).is_err());
    }
}
