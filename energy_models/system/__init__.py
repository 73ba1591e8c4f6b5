"""The system accounting: requests on a platform, mapped, counted and priced."""
