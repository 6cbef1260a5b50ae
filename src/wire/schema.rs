//! Messages as declarations.
//!
//! Kafka describes each message by a schema: the fields in order, and for each field its type and the versions that have it. A
//! message is declared here in just these words, and the macro `message!` makes of them the struct, its defaults, its codec and
//! its [`Schema`] as a value that tests and tools can walk:
//!
//! ```text
//! message! {
//!     /// Shows the controller that a broker lives.
//!     broker_heartbeat_request::BrokerHeartbeatRequest: versions 0..=1, flexible 0 {
//!         /// The broker.
//!         broker_id: i32 [always()],
//!         /// Its epoch.
//!         broker_epoch: i64 [always()] = -1,                        <- default where it is not zero or empty
//!         /// Log directories that have failed.
//!         offline_log_dirs: Vec<Uuid> [since(1).tag(0)],
//!     }
//! }
//! ```
//!
//! Where a version does not have a field, decoding yields the default; encoding a value other than the default is an error,
//! unless the field is `ignorable`. From the `flexible` version on (KIP-482), lengths are compact and each struct ends with
//! tagged fields, which are written only if they differ from their default. Tags that are not declared are kept as bytes.
//!
//! Declarations follow the schemas of Apache Kafka 4.1, and so do, in part, the descriptions of the fields. A nullable field
//! without a declared default is *empty*, not null, as in Kafka; only record bytes are null.

use bytes::Bytes;

use super::decoder::Decoder;
use super::encoder::{Encoder, join};
use super::header::RequestHeader;
use super::mistake::{DecodeError, EncodeError};
use super::{ApiKey, Chunks};

/// Tagged fields that this build does not know: tag and bytes, in rising order of tags.
///
/// Every struct has them and next to none has any, so none cost no more than a word.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct UnknownTags(Option<Box<Tags>>);

#[derive(Clone, PartialEq, Eq, Default)]
struct Tags(Vec<(u32, Bytes)>);

impl UnknownTags {
    /// None.
    #[inline]
    #[must_use]
    pub const fn new() -> UnknownTags {
        UnknownTags(None)
    }

    /// Adds one.
    pub fn push(&mut self, tag: u32, bytes: Bytes) {
        self.0.get_or_insert_default().0.push((tag, bytes));
    }
}

impl std::ops::Deref for UnknownTags {
    type Target = [(u32, Bytes)];

    #[inline]
    fn deref(&self) -> &[(u32, Bytes)] {
        self.0.as_ref().map_or(&[], |tags| &tags.0)
    }
}

impl FromIterator<(u32, Bytes)> for UnknownTags {
    fn from_iter<I: IntoIterator<Item = (u32, Bytes)>>(tags: I) -> UnknownTags {
        let mut unknown = UnknownTags::new();
        tags.into_iter().for_each(|(tag, bytes)| unknown.push(tag, bytes));
        unknown
    }
}

impl std::fmt::Debug for UnknownTags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A range of versions, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// The oldest version.
    pub min: i16,
    /// The newest version.
    pub max: i16,
}

impl Versions {
    /// Whether `version` lies in the range.
    #[must_use]
    pub const fn contains(self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }
}

/// Whether a field may be null in the version at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nulls {
    /// Null is a value like any other.
    Allowed,
    /// Null is an error.
    Forbidden,
}

/// In which versions a field exists, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Versions that have the field.
    pub versions: Versions,
    /// The first version in which it may be null.
    pub nullable_from: Option<i16>,
    /// Its tag, if it is a tagged field.
    pub tag: Option<u32>,
    /// Whether a version that lacks the field may drop its value silently.
    pub ignorable: bool,
}

/// The field exists in every version of its message.
#[must_use]
pub const fn always() -> Rule {
    between(0, i16::MAX)
}

/// The field exists from `first` on.
#[must_use]
pub const fn since(first: i16) -> Rule {
    between(first, i16::MAX)
}

/// The field exists from `first` to `last`.
#[must_use]
pub const fn between(first: i16, last: i16) -> Rule {
    Rule { versions: Versions { min: first, max: last }, nullable_from: None, tag: None, ignorable: false }
}

impl Rule {
    /// The field may be null in every version that has it.
    #[must_use]
    pub const fn nullable(self) -> Rule {
        self.nullable_since(0)
    }

    /// The field may be null from `version` on.
    #[must_use]
    pub const fn nullable_since(self, version: i16) -> Rule {
        Rule { nullable_from: Some(version), ..self }
    }

    /// The field is a tagged one.
    #[must_use]
    pub const fn tag(self, tag: u32) -> Rule {
        Rule { tag: Some(tag), ..self }
    }

    /// A version that lacks the field may drop its value.
    #[must_use]
    pub const fn ignorable(self) -> Rule {
        Rule { ignorable: true, ..self }
    }

    /// Whether `version` has the field.
    #[inline]
    #[must_use]
    pub const fn carries(&self, version: i16) -> bool {
        self.versions.contains(version)
    }

    /// Whether the field may be null in `version`.
    #[inline]
    #[must_use]
    pub const fn nulls(&self, version: i16) -> Nulls {
        match self.nullable_from {
            Some(first) if first <= version => Nulls::Allowed,
            _ => Nulls::Forbidden,
        }
    }
}

/// The type of a value on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Fixed-size number, boolean or id, of this many bytes.
    Fixed(usize),
    /// UTF-8 text after its length.
    String,
    /// Bytes after their length.
    Bytes,
    /// Elements after their count.
    Array(&'static Kind),
    /// The fields of a struct, one after the other.
    Struct(&'static Schema),
    /// A byte that says whether there is a struct (1) or null (-1; in a tagged field 0), and its fields.
    Optional(&'static Schema),
}

/// One declared field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The struct it belongs to.
    pub message: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its versions.
    pub rule: Rule,
}

/// One declared struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schema {
    /// Its name.
    pub name: &'static str,
    /// Its fields, in the order of the wire; tagged fields in the order of their tags.
    pub fields: &'static [Field],
}

/// A value that can be part of a message.
pub trait Wire: Sized {
    /// Its type on the wire.
    const KIND: Kind;

    /// What a field of this type holds unless its declaration says otherwise.
    fn unset() -> Self;

    /// The fewest bytes a value takes in this version: what a declared count is checked with.
    fn size_min(version: i16, flexible: bool) -> usize;

    /// Appends the value.
    fn encode(&self, encoder: &mut Encoder, nulls: Nulls) -> Result<(), EncodeError>;

    /// Reads a value.
    fn decode(decoder: &mut Decoder<'_>, nulls: Nulls) -> Result<Self, DecodeError>;
}

/// A whole message: a struct that has versions of its own.
pub trait Message: Wire + Default {
    /// Its name.
    const NAME: &'static str;
    /// Its fields.
    const SCHEMA: &'static Schema;
    /// The versions declared.
    const VERSIONS: Versions;
    /// The first version with compact lengths and tagged fields.
    const FLEXIBLE: i16;

    /// Whether `version` has compact lengths and tagged fields.
    #[must_use]
    fn is_flexible(version: i16) -> bool {
        version >= Self::FLEXIBLE
    }

    /// Appends the message in the encoder's version.
    fn write(&self, encoder: &mut Encoder) -> Result<(), EncodeError> {
        let version = encoder.version();
        if !Self::VERSIONS.contains(version) {
            return Err(EncodeError::UnsupportedVersion { message: Self::NAME, version });
        }
        Wire::encode(self, encoder, Nulls::Forbidden)
    }

    /// The message's bytes in `version`, without any header.
    fn to_chunks(&self, version: i16) -> Result<Chunks, EncodeError> {
        let mut encoder = Encoder::new(Self::NAME, version, Self::is_flexible(version));
        self.write(&mut encoder)?;
        Ok(encoder.finish())
    }

    /// The message's bytes in `version` after a number of two bytes, as messages are stored or embedded in others.
    fn to_prefixed(&self, prefix: i16, version: i16) -> Result<Bytes, EncodeError> {
        let mut encoder = Encoder::new(Self::NAME, version, Self::is_flexible(version));
        encoder.put(&prefix.to_be_bytes());
        self.write(&mut encoder)?;
        Ok(join(&encoder.finish()))
    }

    /// Reads a message that fills `bytes` exactly, without any header.
    fn from_bytes(version: i16, bytes: &Bytes) -> Result<Self, DecodeError> {
        Self::read_at(version, bytes, 0)
    }

    /// Reads a message from byte `at` on; what follows it in `frame` is not looked at.
    fn read_first(version: i16, frame: &Bytes, at: usize) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(frame, at, Self::NAME, version, Self::is_flexible(version));
        <Self as Wire>::decode(&mut decoder, Nulls::Forbidden)
    }

    /// Reads a message that fills `frame` from byte `at` on.
    fn read_at(version: i16, frame: &Bytes, at: usize) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(frame, at, Self::NAME, version, Self::is_flexible(version));
        let message = <Self as Wire>::decode(&mut decoder, Nulls::Forbidden)?;
        decoder.finish()?;
        Ok(message)
    }
}

/// The version of a message that is asked for does not exist.
pub(super) fn unsupported(api_key: ApiKey, api_version: i16) -> DecodeError {
    DecodeError::UnsupportedVersion { header: RequestHeader { api_key, api_version, ..RequestHeader::default() } }
}

/// The first flexible version of a message that has none.
pub const NEVER: i16 = i16::MAX;

/// What the declarations need in scope.
pub mod prelude {
    pub use super::{Field, Kind, Message, NEVER, Nulls, Rule, Schema, UnknownTags, Versions, Wire, always, between, since};
    pub use crate::types::Uuid;
    pub use crate::wire::decoder::Decoder;
    pub use crate::wire::encoder::Encoder;
    pub use crate::wire::mistake::{DecodeError, EncodeError};
    pub use bytes::Bytes;
}

/// Declares a message and the structs in it, in a module named after it.
macro_rules! message {
    (
        $(#[$doc:meta])*
        $module:ident :: $name:ident : versions $min:literal ..= $max:literal, flexible $flexible:tt { $($fields:tt)* }
        $( $(#[$inner_doc:meta])* $inner:ident { $($inner_fields:tt)* } )*
    ) => {
        #[doc = concat!("`", stringify!($name), "` and the structs in it.")]
        pub mod $module {
            #[allow(unused_imports)]
            use $crate::wire::schema::prelude::*;

            $crate::wire::schema::structure! { $(#[$doc])* $name { $($fields)* } }
            $( $crate::wire::schema::structure! { $(#[$inner_doc])* $inner { $($inner_fields)* } } )*

            impl Message for $name {
                const NAME: &'static str = stringify!($name);
                const SCHEMA: &'static Schema = &$name::SCHEMA;
                const VERSIONS: Versions = Versions { min: $min, max: $max };
                const FLEXIBLE: i16 = $flexible;
            }
        }
    };
}

/// Declares one struct: its fields, defaults and codec.
macro_rules! structure {
    (
        $(#[$doc:meta])*
        $name:ident { $( $(#[$field_doc:meta])* $field:ident : $type:ty [ $rule:expr ] $(= $default:expr)? , )* }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            $( $(#[$field_doc])* pub $field: $type, )*
            /// Tagged fields that this build does not know, kept to be written back.
            pub unknown_tags: UnknownTags,
        }

        impl Default for $name {
            fn default() -> Self {
                $name {
                    $( $field: $crate::wire::schema::default_of!($type $(, $default)?), )*
                    unknown_tags: UnknownTags::new(),
                }
            }
        }

        impl $name {
            /// The struct as a value.
            pub const SCHEMA: Schema = Schema {
                name: stringify!($name),
                fields: &[ $( $crate::wire::schema::field_of!($name, $field, $type, $rule), )* ],
            };
        }

        impl Wire for $name {
            const KIND: Kind = Kind::Struct(&$name::SCHEMA);

            fn unset() -> Self {
                $name::default()
            }

            #[allow(unused_variables, unused_mut)]
            #[inline]
            fn size_min(version: i16, flexible: bool) -> usize {
                let mut size = usize::from(flexible);
                $({
                    const FIELD: Field = $crate::wire::schema::field_of!($name, $field, $type, $rule);
                    if FIELD.rule.tag.is_none() && FIELD.rule.carries(version) {
                        size += <$type as Wire>::size_min(version, flexible);
                    }
                })*
                size
            }

            #[allow(unused_mut)]
            fn encode(&self, encoder: &mut Encoder, _: Nulls) -> Result<(), EncodeError> {
                let mut known = 0;
                $({
                    const FIELD: &Field = &$crate::wire::schema::field_of!($name, $field, $type, $rule);
                    let default = || $crate::wire::schema::default_of!($type $(, $default)?);
                    encoder.plain(FIELD, &self.$field, default)?;
                    known += encoder.tagged(FIELD, &self.$field, default)?;
                })*
                encoder.put_tag_count(stringify!($name), known, &self.unknown_tags)?;
                let mut unknown: &[(u32, Bytes)] = &self.unknown_tags;
                if known > 0 {
                    $({
                        const FIELD: &Field = &$crate::wire::schema::field_of!($name, $field, $type, $rule);
                        let default = || $crate::wire::schema::default_of!($type $(, $default)?);
                        encoder.put_tagged(FIELD, &self.$field, default, &mut unknown)?;
                    })*
                }
                unknown.iter().for_each(|(tag, bytes)| encoder.put_unknown(*tag, bytes));
                Ok(())
            }

            #[allow(unused_mut)]
            fn decode(decoder: &mut Decoder<'_>, _: Nulls) -> Result<Self, DecodeError> {
                let mut value = $name::default();
                $({
                    const FIELD: &Field = &$crate::wire::schema::field_of!($name, $field, $type, $rule);
                    if FIELD.rule.tag.is_none() && FIELD.rule.carries(decoder.version()) {
                        decoder.enter_field(FIELD);
                        value.$field = Wire::decode(decoder, FIELD.rule.nulls(decoder.version()))?;
                    }
                })*
                decoder.enter(stringify!($name), "tags");
                let mut tags = decoder.tags()?;
                while let Some((tag, size)) = decoder.next_tag(&mut tags)? {
                    $({
                        const FIELD: &Field = &$crate::wire::schema::field_of!($name, $field, $type, $rule);
                        if FIELD.rule.tag == Some(tag) && FIELD.rule.carries(decoder.version()) {
                            decoder.enter_field(FIELD);
                            let nulls = FIELD.rule.nulls(decoder.version());
                            value.$field = decoder.sized(size, |decoder| Wire::decode(decoder, nulls))?;
                            continue;
                        }
                    })*
                    decoder.unknown(tag, size, &mut value.unknown_tags)?;
                }
                Ok(value)
            }
        }
    };
}

/// Makes a declared struct one that may be null. What marks null is -1 in a field, and 0 in a tagged field.
macro_rules! optional {
    ($module:ident :: $name:ident) => {
        $crate::wire::schema::optional!($module::$name: null -1);
    };
    ($module:ident :: $name:ident : null $null:literal) => {
        impl $crate::wire::schema::Wire for Option<$module::$name> {
            const KIND: $crate::wire::schema::Kind = $crate::wire::schema::Kind::Optional(&$module::$name::SCHEMA);

            fn unset() -> Self {
                None
            }

            fn size_min(_: i16, _: bool) -> usize {
                1
            }

            fn encode(
                &self,
                encoder: &mut $crate::wire::encoder::Encoder,
                nulls: $crate::wire::schema::Nulls,
            ) -> Result<(), $crate::wire::EncodeError> {
                match self {
                    Some(value) => {
                        1_i8.encode(encoder, nulls)?;
                        value.encode(encoder, nulls)
                    }
                    None if nulls == $crate::wire::schema::Nulls::Forbidden => Err(encoder.null_forbidden()),
                    None => i8::encode(&$null, encoder, nulls),
                }
            }

            fn decode(
                decoder: &mut $crate::wire::decoder::Decoder<'_>,
                nulls: $crate::wire::schema::Nulls,
            ) -> Result<Self, $crate::wire::DecodeError> {
                let place = decoder.place();
                match (i8::decode(decoder, nulls)?, nulls) {
                    ($null, $crate::wire::schema::Nulls::Allowed) => Ok(None),
                    ($null, $crate::wire::schema::Nulls::Forbidden) => Err($crate::wire::DecodeError::Null { place }),
                    (1, _) => $crate::wire::schema::Wire::decode(decoder, nulls).map(Some),
                    (_, _) => Err($crate::wire::DecodeError::Malformed { place }),
                }
            }
        }
    };
}

/// The declared default of a field, or that of its type.
macro_rules! default_of {
    ($type:ty, $default:expr) => {
        $default
    };
    ($type:ty) => {
        <$type as Wire>::unset()
    };
}

/// A declared field as a value.
macro_rules! field_of {
    ($message:ident, $field:ident, $type:ty, $rule:expr) => {
        Field { message: stringify!($message), name: stringify!($field), kind: <$type as Wire>::KIND, rule: $rule }
    };
}

pub(crate) use {default_of, field_of, message, optional, structure};
