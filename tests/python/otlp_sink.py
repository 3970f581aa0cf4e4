"""Where a collector passes telemetry on to: an OTLP/gRPC server that writes what it gets, one JSON object a line.

Usage: otlp_sink.py PORT FILE. Lines are spans, names of metrics with their attributes, and log records.
"""

import json
import sys
from concurrent import futures

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

port, path = sys.argv[1:]
out = open(path, "a", buffering=1)


def attributes(pairs) -> dict:
    def value(any_value):
        kind = any_value.WhichOneof("value")
        return getattr(any_value, kind) if kind in ("string_value", "bool_value", "int_value", "double_value") else str(any_value)

    return {pair.key: value(pair.value) for pair in pairs}


def write(**fields) -> None:
    out.write(json.dumps(fields) + "\n")


class Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def Export(self, request, context):
        for resource in request.resource_spans:
            service = attributes(resource.resource.attributes).get("service.name")
            for scope in resource.scope_spans:
                for span in scope.spans:
                    write(
                        signal="span",
                        service=service,
                        name=span.name,
                        kind=span.kind,
                        trace=span.trace_id.hex(),
                        id=span.span_id.hex(),
                        parent=span.parent_span_id.hex(),
                        status=span.status.code,
                        attributes=attributes(span.attributes),
                    )
        return trace_service_pb2.ExportTraceServiceResponse()


class Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    def Export(self, request, context):
        for resource in request.resource_metrics:
            service = attributes(resource.resource.attributes).get("service.name")
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points = getattr(metric, metric.WhichOneof("data")).data_points
                    keys = sorted({pair.key for point in points for pair in point.attributes})
                    write(signal="metric", service=service, name=metric.name, unit=metric.unit, attributes=keys)
        return metrics_service_pb2.ExportMetricsServiceResponse()


class Logs(logs_service_pb2_grpc.LogsServiceServicer):
    def Export(self, request, context):
        for resource in request.resource_logs:
            service = attributes(resource.resource.attributes).get("service.name")
            for scope in resource.scope_logs:
                for record in scope.log_records:
                    write(signal="log", service=service, text=record.body.string_value, trace=record.trace_id.hex())
        return logs_service_pb2.ExportLogsServiceResponse()


server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Traces(), server)
metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(Metrics(), server)
logs_service_pb2_grpc.add_LogsServiceServicer_to_server(Logs(), server)
server.add_insecure_port(f"127.0.0.1:{port}")
server.start()
server.wait_for_termination()
