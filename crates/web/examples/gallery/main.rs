//! Serves every page from samples, to look at: `cargo run -p web --example gallery`, then open the address it prints.
//! Sign in as `admin` (or `auditor`) with the password `sample`.

mod samples;

use std::sync::Arc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8099").await?;
    let config = web::WebConfig { version: "gallery".to_owned(), ..web::WebConfig::default() };
    #[expect(clippy::print_stdout, reason = "the example's only output")]
    {
        println!("http://{}", listener.local_addr()?);
    }
    axum::serve(listener, web::router(Arc::new(samples::Samples::new()), config)).await
}
