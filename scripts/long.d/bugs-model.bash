# shellcheck shell=bash
# Every planted bug that the model can express (or the one that QUORATE_BUG names, with its story): a build of its own.
bugs_model() {
    whole 'planted bugs: model' QUORATE_BUGS=1 CARGO_TARGET_DIR=target/bugs "${tests[@]}" model::every_planted
}
