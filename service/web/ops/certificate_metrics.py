"""Metrics of the HTTPS port's certificate."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.web.server.certificate import ServedCertificate


class CertificateCollector(Collector):
    """Reads the served certificate at each scrape."""

    def __init__(self, certificate: ServedCertificate) -> None:
        self._certificate = certificate

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "connector_tls_certificate_expiry_timestamp_seconds",
            "When the served certificate expires.",
            value=self._certificate.certificate.expires,
        )
        yield GaugeMetricFamily(
            "connector_tls_certificate_refused",
            "1 while the files hold a certificate that cannot be served, so that the one before it still is.",
            value=int(bool(self._certificate.refused)),
        )
        yield CounterMetricFamily(
            "connector_tls_handshake_failures", "TLS handshakes that failed.", value=self._certificate.failed_handshakes
        )
