//! The primitive values messages are made of.
//!
//! Numbers are big-endian and of fixed size. A string, byte sequence or array starts with its length; -1 means null. In flexible
//! versions the length is an unsigned varint of length + 1, and 0 means null.

use bytes::Bytes;

use super::decoder::Decoder;
use super::encoder::Encoder;
use super::mistake::{DecodeError, EncodeError};
use super::schema::{Kind, Nulls, Wire};
use crate::types::Uuid;

macro_rules! number {
    ($($type:ty),*) => { $(
        impl Wire for $type {
            const KIND: Kind = Kind::Fixed(size_of::<$type>());

            fn unset() -> Self {
                0
            }

            #[inline]
            fn size_min(_: i16, _: bool) -> usize {
                size_of::<$type>()
            }

            #[inline]
            fn encode(&self, encoder: &mut Encoder, _: Nulls) -> Result<(), EncodeError> {
                encoder.put(&self.to_be_bytes());
                Ok(())
            }

            #[inline]
            fn decode(decoder: &mut Decoder<'_>, _: Nulls) -> Result<Self, DecodeError> {
                Ok(<$type>::from_be_bytes(decoder.array()?))
            }
        }
    )* };
}

number!(i8, i16, i32, i64, u16, u32);

impl Wire for bool {
    const KIND: Kind = Kind::Fixed(1);

    fn unset() -> Self {
        false
    }

    fn size_min(_: i16, _: bool) -> usize {
        1
    }

    #[inline]
    fn encode(&self, encoder: &mut Encoder, _: Nulls) -> Result<(), EncodeError> {
        encoder.put(&[u8::from(*self)]);
        Ok(())
    }

    #[inline]
    fn decode(decoder: &mut Decoder<'_>, _: Nulls) -> Result<Self, DecodeError> {
        let [byte] = decoder.array::<1>()?;
        Ok(byte != 0)
    }
}

impl Wire for Uuid {
    const KIND: Kind = Kind::Fixed(16);

    fn unset() -> Self {
        Uuid::ZERO
    }

    fn size_min(_: i16, _: bool) -> usize {
        16
    }

    #[inline]
    fn encode(&self, encoder: &mut Encoder, _: Nulls) -> Result<(), EncodeError> {
        encoder.put(&self.0.to_be_bytes());
        Ok(())
    }

    #[inline]
    fn decode(decoder: &mut Decoder<'_>, _: Nulls) -> Result<Self, DecodeError> {
        Ok(Uuid(u128::from_be_bytes(decoder.array()?)))
    }
}

/// A value that starts with its length, where -1 stands for null.
///
/// With it `T` and `Option<T>` share one codec: `T` is the value that is never null.
pub trait Lengthy: Sized {
    /// The type on the wire.
    const KIND: Kind;
    /// Whether the length has 16 bits (in versions that are not flexible).
    const NARROW: bool;

    /// The empty value.
    fn empty() -> Self;

    /// What an optional field of this type holds by default.
    fn unset_option() -> Option<Self> {
        Some(Self::empty())
    }

    /// Bytes or elements.
    fn length(&self) -> usize;

    /// The fewest bytes of one element.
    fn element_min(version: i16, flexible: bool) -> usize;

    /// Appends the content, after the length.
    fn put_content(&self, encoder: &mut Encoder) -> Result<(), EncodeError>;

    /// Reads the content; `length` has been checked against what remains.
    fn content(decoder: &mut Decoder<'_>, length: usize) -> Result<Self, DecodeError>;
}

fn length_size(narrow: bool, flexible: bool) -> usize {
    match (flexible, narrow) {
        (true, _) => 1,
        (false, true) => 2,
        (false, false) => 4,
    }
}

fn decode_lengthy<T: Lengthy>(decoder: &mut Decoder<'_>, nulls: Nulls) -> Result<Option<T>, DecodeError> {
    let element_min = T::element_min(decoder.version(), decoder.is_flexible());
    match decoder.length(T::NARROW, nulls, element_min)? {
        Some(length) => T::content(decoder, length).map(Some),
        None => Ok(None),
    }
}

impl<T: Lengthy> Wire for T {
    const KIND: Kind = <T as Lengthy>::KIND;

    fn unset() -> Self {
        T::empty()
    }

    fn size_min(_: i16, flexible: bool) -> usize {
        length_size(T::NARROW, flexible)
    }

    #[inline]
    fn encode(&self, encoder: &mut Encoder, _: Nulls) -> Result<(), EncodeError> {
        encoder.put_length(T::NARROW, Some(self.length()))?;
        self.put_content(encoder)
    }

    #[inline]
    fn decode(decoder: &mut Decoder<'_>, _: Nulls) -> Result<Self, DecodeError> {
        Ok(decode_lengthy(decoder, Nulls::Forbidden)?.expect("null was forbidden"))
    }
}

impl<T: Lengthy> Wire for Option<T> {
    const KIND: Kind = <T as Lengthy>::KIND;

    fn unset() -> Self {
        T::unset_option()
    }

    fn size_min(_: i16, flexible: bool) -> usize {
        length_size(T::NARROW, flexible)
    }

    #[inline]
    fn encode(&self, encoder: &mut Encoder, nulls: Nulls) -> Result<(), EncodeError> {
        match self {
            Some(value) => value.encode(encoder, nulls),
            None if nulls == Nulls::Forbidden => Err(encoder.null_forbidden()),
            None => encoder.put_length(T::NARROW, None),
        }
    }

    #[inline]
    fn decode(decoder: &mut Decoder<'_>, nulls: Nulls) -> Result<Self, DecodeError> {
        decode_lengthy(decoder, nulls)
    }
}

impl Lengthy for String {
    const KIND: Kind = Kind::String;
    const NARROW: bool = true;

    fn empty() -> Self {
        String::new()
    }

    fn length(&self) -> usize {
        self.len()
    }

    fn element_min(_: i16, _: bool) -> usize {
        1
    }

    #[inline]
    fn put_content(&self, encoder: &mut Encoder) -> Result<(), EncodeError> {
        encoder.put(self.as_bytes());
        Ok(())
    }

    #[inline]
    fn content(decoder: &mut Decoder<'_>, length: usize) -> Result<Self, DecodeError> {
        let place = decoder.place();
        match std::str::from_utf8(decoder.take(length)?) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(DecodeError::Utf8 { place }),
        }
    }
}

impl Lengthy for Bytes {
    const KIND: Kind = Kind::Bytes;
    const NARROW: bool = false;

    fn empty() -> Self {
        Bytes::new()
    }

    fn unset_option() -> Option<Self> {
        None
    }

    fn length(&self) -> usize {
        self.len()
    }

    fn element_min(_: i16, _: bool) -> usize {
        1
    }

    fn put_content(&self, encoder: &mut Encoder) -> Result<(), EncodeError> {
        encoder.put_chunk(self);
        Ok(())
    }

    fn content(decoder: &mut Decoder<'_>, length: usize) -> Result<Self, DecodeError> {
        decoder.slice(length)
    }
}

impl<T: Wire> Lengthy for Vec<T> {
    const KIND: Kind = Kind::Array(&T::KIND);
    const NARROW: bool = false;

    fn empty() -> Self {
        Vec::new()
    }

    fn length(&self) -> usize {
        self.len()
    }

    #[inline]
    fn element_min(version: i16, flexible: bool) -> usize {
        T::size_min(version, flexible).max(1)
    }

    #[inline]
    fn put_content(&self, encoder: &mut Encoder) -> Result<(), EncodeError> {
        self.iter().try_for_each(|element| element.encode(encoder, Nulls::Forbidden))
    }

    #[inline]
    fn content(decoder: &mut Decoder<'_>, length: usize) -> Result<Self, DecodeError> {
        let mut elements = Vec::with_capacity(length);
        for _ in 0..length {
            elements.push(T::decode(decoder, Nulls::Forbidden)?);
        }
        Ok(elements)
    }
}
