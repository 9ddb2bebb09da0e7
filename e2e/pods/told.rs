//! The story of `make demo-cluster`, so that it stays true.

use crate::bed::Bed;
use crate::show::Show;
use crate::story;
use crate::support::SOON;

#[test]
fn the_story_of_two_teams_is_true() {
    let mut bed = Bed::start(3);
    let outside = bed.wire(&[1, 2]);
    let mut show = Show::beside();
    let whole = story::tell(&mut bed, outside, &mut show, SOON).is_some();
    assert!(whole && show.failed() == 0, "{} steps failed", show.failed());
}
