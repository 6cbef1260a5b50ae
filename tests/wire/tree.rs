//! Values as trees of field names, read from what `{:?}` prints.
//!
//! Two codecs that name their fields alike can be compared field by field without a converter for each of their structs. Spellings
//! that differ are brought into one form: newtypes are taken off, ids are printed alike, maps and lists of pairs are the same.

use std::collections::BTreeMap;

use brokerlab::types::Uuid;

/// A value with its parts by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree {
    /// A number, a word, a quoted text.
    Leaf(String),
    /// Elements in order.
    List(Vec<Tree>),
    /// Fields by name.
    Fields(BTreeMap<String, Tree>),
}

impl Tree {
    /// The same value, but for the fields of these names, at any depth.
    pub fn without(self, names: &[&str]) -> Tree {
        match self {
            Tree::Fields(fields) => {
                let kept = fields.into_iter().filter(|(name, _)| !names.contains(&name.as_str()));
                Tree::Fields(kept.map(|(name, value)| (name, value.without(names))).collect())
            }
            Tree::List(elements) => Tree::List(elements.into_iter().map(|element| element.without(names)).collect()),
            Tree::Leaf(_) => self,
        }
    }
}

/// The tree that `{:?}` of `value` draws.
pub fn tree(value: &impl std::fmt::Debug) -> Tree {
    let text = format!("{value:?}");
    let mut parser = Parser { rest: &text };
    let tree = parser.value();
    assert_eq!(parser.rest, "", "all of the text belongs to the value");
    tree
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn eat(&mut self, token: &str) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self) -> Tree {
        if self.eat("[") {
            return Tree::List(self.list("]"));
        }
        if self.eat("(") {
            return Tree::List(self.list(")"));
        }
        if self.eat("{") {
            return Tree::List(self.pairs());
        }
        self.rest = self.rest.trim_start();
        if self.rest.starts_with('"') || self.rest.starts_with("b\"") {
            return Tree::Leaf(self.quoted().to_owned());
        }
        let word = self.word();
        if self.eat("(") {
            let inner = self.list(")").pop().expect("a newtype holds one value");
            return if word == "Some" { Tree::List(vec![inner]) } else { inner };
        }
        if self.eat("{") {
            return Tree::Fields(self.fields());
        }
        Tree::Leaf(alike(word))
    }

    fn list(&mut self, end: &str) -> Vec<Tree> {
        let mut elements = Vec::new();
        while !self.eat(end) {
            elements.push(self.value());
            self.eat(",");
        }
        elements
    }

    fn pairs(&mut self) -> Vec<Tree> {
        let mut pairs = Vec::new();
        while !self.eat("}") {
            let key = self.value();
            assert!(self.eat(":"), "a map pairs keys with values");
            pairs.push(Tree::List(vec![key, self.value()]));
            self.eat(",");
        }
        pairs
    }

    fn fields(&mut self) -> BTreeMap<String, Tree> {
        let mut fields = BTreeMap::new();
        while !self.eat("}") {
            let name = self.word().replace("unknown_tagged_fields", "unknown_tags");
            assert!(self.eat(":"), "field {name} has a value");
            let value = self.value();
            self.eat(",");
            // A struct that is never flexible has no place for unknown tags there, an empty one here.
            if name == "unknown_tags" && value == Tree::List(Vec::new()) {
                continue;
            }
            assert!(fields.insert(name, value).is_none());
        }
        fields
    }

    fn quoted(&mut self) -> &'a str {
        let open = self.rest.find('"').expect("the caller saw a quote") + 1;
        let mut escaped = false;
        let close = self.rest[open..].find(|c: char| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let end = open + close.expect("a quote ends") + 1;
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        text
    }

    fn word(&mut self) -> &'a str {
        self.rest = self.rest.trim_start();
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').unwrap_or(self.rest.len());
        assert!(end > 0, "a word at {:?}", &self.rest[..self.rest.len().min(40)]);
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }
}

/// Ids in hexadecimal with hyphens become ids as Kafka prints them.
fn alike(word: &str) -> String {
    let hex = word.replace('-', "");
    match u128::from_str_radix(&hex, 16) {
        Ok(id) if word.len() == 36 && hex.len() == 32 => Uuid(id).to_string(),
        _ => word.to_owned(),
    }
}
