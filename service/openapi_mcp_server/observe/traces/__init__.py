"""Spans: sampled, and sent to X-Ray and OpenTelemetry collectors."""
