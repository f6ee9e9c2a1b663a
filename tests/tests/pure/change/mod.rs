//! Changes against targets in memory: what is checked before one, what stops one, and what holds whatever goes wrong.

mod check;
mod rules;
mod theorems;
