"""What goes wrong: networks, S3 servers, disks, clocks, engines, and processes that die."""
