//! What pages, the API, the command line and mail show. One struct per thing shown, and nothing else is shown.
