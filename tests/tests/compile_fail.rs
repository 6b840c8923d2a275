//! What a user's compiler says about mistakes in models, and that it says nothing else.

#[test]
fn compile_errors() {
    let tests = trybuild::TestCases::new();
    tests.compile_fail("compile_fail/*.rs");
}
