//! What a connection sends: the same requests in turn, or one that depends on the last answer.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;

use anyhow::{Context, Result};

/// The requests of a load. Clones share them, from one window to the next.
#[derive(Clone)]
pub(crate) enum Requests {
    /// Sent in turn, whichever connection is free.
    InTurn(Rc<Vec<Vec<u8>>>),
    /// Each connection goes on with one of them, and gives it back when the window is over.
    Chained(Rc<RefCell<VecDeque<Chain>>>),
}

/// Where the connections of one window stand in it.
#[derive(Default)]
pub(crate) struct Turns {
    next: Cell<usize>,
    /// After so many requests everything was asked.
    end: Option<usize>,
}

impl Turns {
    /// Each of so many requests is sent once.
    pub(crate) fn once(requests: usize) -> Self {
        Self { next: Cell::new(0), end: Some(requests) }
    }

    /// Whether there is an end to it.
    pub(crate) fn ends(&self) -> bool {
        self.end.is_some()
    }
}

impl Requests {
    pub(crate) fn in_turn(requests: Vec<Vec<u8>>) -> Self {
        Self::InTurn(Rc::new(requests))
    }

    pub(crate) fn chained(chains: Vec<Chain>) -> Self {
        Self::Chained(Rc::new(RefCell::new(chains.into())))
    }

    pub(crate) fn count(&self) -> usize {
        match self {
            Self::InTurn(requests) => requests.len(),
            Self::Chained(chains) => chains.borrow().len(),
        }
    }

    /// What a connection goes on with for a whole window; `None` when it takes turns with the others, or when there is none left.
    pub(crate) fn take_chain(&self) -> Option<Chain> {
        match self {
            Self::InTurn(_) => None,
            Self::Chained(chains) => chains.borrow_mut().pop_front(),
        }
    }

    pub(crate) fn give_back(&self, chain: Chain) {
        if let Self::Chained(chains) = self {
            chains.borrow_mut().push_back(chain);
        }
    }

    /// The next one in turn; `None` when everything was asked or there is nothing to ask.
    pub(crate) fn next(&self, turns: &Turns) -> Option<&[u8]> {
        let Self::InTurn(requests) = self else { return None };
        let turn = turns.next.get();
        if turns.end.is_some_and(|end| turn >= end) {
            return None;
        }
        turns.next.set(turn.wrapping_add(1));
        requests.get(turn.checked_rem(requests.len())?).map(Vec::as_slice)
    }
}

/// A request that carries a value of its last answer, such as a refresh token: of the same length every time, so that nothing
/// is allocated.
pub(crate) struct Chain {
    request: Vec<u8>,
    /// Where the value stands in the request.
    at: Range<usize>,
    /// What stands before the value in an answer.
    marker: &'static [u8],
    next: Vec<u8>,
}

impl Chain {
    /// `request` carries `value`; its answer carries the next one, behind `marker`.
    pub(crate) fn new(request: Vec<u8>, value: &str, marker: &'static str) -> Result<Self> {
        let start = position(&request, value.as_bytes()).context("the request does not carry the value")?;
        let at = start..start + value.len();
        Ok(Self { request, at, marker: marker.as_bytes(), next: value.into() })
    }

    /// The request, and where the value of its answer goes.
    pub(crate) fn parts(&mut self) -> (&[u8], Found<'_>) {
        (&self.request, Found { marker: self.marker, value: &mut self.next })
    }

    /// From now on the request carries what was found.
    pub(crate) fn go_on(&mut self) {
        if let Some(place) = self.request.get_mut(self.at.clone()) {
            place.copy_from_slice(&self.next);
        }
    }
}

/// Where the value of an answer goes.
pub(crate) struct Found<'a> {
    marker: &'static [u8],
    value: &'a mut Vec<u8>,
}

impl Found<'_> {
    /// Looks for the value in the body of an answer. What was there before stays when there is none.
    pub(crate) fn look(self, body: &[u8]) -> Result<(), String> {
        let start = position(body, self.marker).map(|at| at + self.marker.len());
        let found = start.and_then(|start| body.get(start..start + self.value.len()));
        let found = found.ok_or("the answer carries no value to go on with")?;
        if found.contains(&b'"') {
            return Err("the answer carries a value of another length".to_owned());
        }
        self.value.copy_from_slice(found);
        Ok(())
    }
}

fn position(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len().max(1)).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_request_carries_what_the_last_answer_said() {
        let mut chain = Chain::new(b"{\"token\":\"aaaa\"}".to_vec(), "aaaa", "\"token\":\"").unwrap();
        let look = |chain: &mut Chain, body: &[u8]| {
            let (_, found) = chain.parts();
            let result = found.look(body);
            if result.is_ok() {
                chain.go_on();
            }
            result
        };
        assert!(look(&mut chain, b"{\"x\":1,\"token\":\"bcde\"}").is_ok());
        assert_eq!(chain.parts().0, b"{\"token\":\"bcde\"}");
        for odd in ["{}", "{\"token\":\"abc\"}", "{\"token\":\"ab"] {
            assert!(look(&mut chain, odd.as_bytes()).is_err(), "{odd}");
            assert_eq!(chain.parts().0, b"{\"token\":\"bcde\"}");
        }
        assert!(Chain::new(b"x".to_vec(), "aaaa", "m").is_err());
    }

    #[test]
    fn turns_go_round_or_end() {
        let requests = Requests::in_turn(vec![b"a".to_vec(), b"b".to_vec()]);
        let round = Turns::default();
        let asked: Vec<_> = (0..3).filter_map(|_| requests.next(&round)).collect();
        assert_eq!(asked, [b"a", b"b", b"a"]);
        let once = Turns::once(requests.count());
        let asked: Vec<_> = std::iter::from_fn(|| requests.next(&once)).collect();
        assert_eq!(asked, [b"a", b"b"]);
        assert_eq!(Requests::in_turn(Vec::new()).next(&Turns::default()), None);
    }

    #[test]
    fn chains_are_taken_and_given_back() {
        let chain = |text: &str| Chain::new(text.into(), text, "m").unwrap();
        let requests = Requests::chained(vec![chain("a"), chain("b")]);
        let mut first = requests.take_chain().unwrap();
        assert_eq!((first.parts().0, requests.count()), (&b"a"[..], 1));
        requests.give_back(first);
        assert_eq!(requests.take_chain().unwrap().parts().0, b"b");
        assert!(requests.take_chain().is_some() && requests.take_chain().is_none());
    }
}
