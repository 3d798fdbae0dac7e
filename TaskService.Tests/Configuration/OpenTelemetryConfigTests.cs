using TaskService.Configuration;
using TaskService.Hosting;
using TaskService.Tests.Support;

namespace TaskService.Tests.Configuration;

/// <summary>The variables of OpenTelemetry, as operators of a fleet set them for all services.</summary>
public sealed class OpenTelemetryConfigTests
{
    private const string Exporter = "telemetry: { exporters: { a: { type: otlp, endpoint: 'http://file:1' } } }";

    [Theory]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=http://all:4318", "endpoint: \"http://all:4318\"")]
    [InlineData("OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "protocol: grpc")]
    [InlineData("OTEL_EXPORTER_OTLP_HEADERS=key=secret", "headers: \"***\"")]
    [InlineData("OTEL_EXPORTER_OTLP_TIMEOUT=250", "attempt-time-max-ms: 250")]
    [InlineData("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://t/x", "traces: endpoint: \"http://t/x\"")]
    [InlineData("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=grpc", "traces: protocol: grpc")]
    [InlineData("OTEL_EXPORTER_OTLP_TRACES_HEADERS=a=b", "traces: headers: \"***\"")]
    [InlineData("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT=250", "traces: attempt-time-max-ms: 250")]
    [InlineData("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://m/x", "metrics: endpoint: \"http://m/x\"")]
    [InlineData("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=grpc", "metrics: protocol: grpc")]
    [InlineData("OTEL_EXPORTER_OTLP_METRICS_HEADERS=a=b", "metrics: headers: \"***\"")]
    [InlineData("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT=250", "metrics: attempt-time-max-ms: 250")]
    [InlineData("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=delta", "temporality: delta")]
    [InlineData("OTEL_METRIC_EXPORT_INTERVAL=5000", "meters-interval-ms: 5000")]
    [InlineData("OTEL_TRACES_SAMPLER=always_on", "trace-probability: 1")]
    [InlineData("OTEL_TRACES_SAMPLER=parentbased_always_off", "trace-probability: 0")]
    [InlineData("OTEL_TRACES_SAMPLER_ARG=0.25 OTEL_TRACES_SAMPLER=parentbased_traceidratio", "trace-probability: 0.25")]
    [InlineData("OTEL_TRACES_SAMPLER=TraceIdRatio OTEL_TRACES_SAMPLER_ARG=", "trace-probability: 1")]
    [InlineData("OTEL_EXPORTER_OTLP_PROTOCOL=GRPC", "protocol: grpc")]
    [InlineData("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=HTTP/Protobuf", "traces: protocol: http/protobuf")]
    [InlineData("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=LowMemory", "temporality: lowmemory")]
    [InlineData("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=CUMULATIVE", "temporality: cumulative")]
    [InlineData("OTEL_EXPORTER_OTLP_COMPRESSION=GZIP", "compression: gzip")]
    [InlineData("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION=gzip", "traces: compression: gzip")]
    [InlineData("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION=none", "metrics: compression: none")]
    public void Each_variable_goes_before_the_file(string variables, string printed)
    {
        var lines = Print(Exporter, variables);
        var setting = printed.Split(": ", 2) is ["traces" or "metrics", var below] ? below : printed;
        var source = variables.Split('=')[0];
        Assert.Contains(lines, line => line.Split("  # ") is [var value, var where]
            && value.Trim() == setting && where == $"environment {source}");
    }

    [Fact]
    public void A_signal_without_a_time_of_its_own_has_that_of_all()
    {
        var lines = Print(Exporter, "OTEL_EXPORTER_OTLP_TIMEOUT=250 OTEL_EXPORTER_OTLP_TRACES_TIMEOUT=100");
        Assert.Equal(
            ["100", "250", "250"],
            lines.Select(line => line.Trim()).Where(line => line.StartsWith("attempt-time", StringComparison.Ordinal))
                .Select(line => line.Split(' ')[1]).Order());
    }

    [Fact]
    public void A_variable_of_our_own_goes_before_that_of_OpenTelemetry()
    {
        var lines = Print(
            Exporter,
            "OTEL_EXPORTER_OTLP_ENDPOINT=http://all:4318 OTEL_TRACES_SAMPLER=always_on "
            + "TASKSERVICE__TELEMETRY__EXPORTERS__A__ENDPOINT=http://own:1 "
            + "TASKSERVICE__TELEMETRY__TRACE_PROBABILITY=0.5");
        Assert.Contains(lines, line => line.Trim().StartsWith("endpoint: \"http://own:1\" ", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.Trim().StartsWith("trace-probability: 0.5 ", StringComparison.Ordinal));
    }

    [Fact]
    public void Who_names_a_collector_has_an_exporter()
    {
        const string endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318";
        Assert.Equal("otlp", Assert.Single(Read("", endpoint).Telemetry.Exporters).Name);
        Assert.Equal("a", Assert.Single(Read(Exporter, endpoint).Telemetry.Exporters).Name);
        Assert.Empty(Read("", "OTEL_EXPORTER_OTLP_ENDPOINT=").Telemetry.Exporters);
    }

    [Fact]
    public void Nothing_is_sent_when_the_SDK_is_disabled()
    {
        const string json = "telemetry: { exporters: { a: { type: otlp }, b: { type: json } } }";
        Assert.Equal("b", Assert.Single(Read(json, "OTEL_SDK_DISABLED=true").Telemetry.Exporters).Name);
        Assert.Equal(2, Read(json, "OTEL_SDK_DISABLED=false").Telemetry.Exporters.Count);
    }

    [Theory]
    [InlineData(
        "OTEL_TRACES_SAMPLER=xray",
        "OTEL_TRACES_SAMPLER: telemetry.trace-probability: is ignored: must be always_on, always_off or traceidratio, "
        + "or one of these after parentbased_, not \"xray\"",
        "trace-probability: 0.5")]
    [InlineData(
        "OTEL_TRACES_SAMPLER=traceidratio OTEL_TRACES_SAMPLER_ARG=2",
        "OTEL_TRACES_SAMPLER_ARG: telemetry.trace-probability: is ignored: must be a number from 0 to 1, not \"2\"",
        "trace-probability: 1")]
    [InlineData(
        "OTEL_EXPORTER_OTLP_PROTOCOL=http/json",
        "OTEL_EXPORTER_OTLP_PROTOCOL: telemetry.exporters.a.protocol: is ignored: \"http/json\" is not known "
        + "(allowed: http/protobuf, grpc)",
        "protocol: grpc")]
    [InlineData(
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=exponential",
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: telemetry.exporters.a.temporality: is ignored: "
        + "\"exponential\" is not known (allowed: cumulative, delta, lowmemory)",
        "temporality: cumulative")]
    [InlineData(
        "OTEL_EXPORTER_OTLP_COMPRESSION=br",
        "OTEL_EXPORTER_OTLP_COMPRESSION: telemetry.exporters.a.compression: is ignored: \"br\" is not known "
        + "(allowed: none, gzip)",
        "compression: none")]
    [InlineData(
        "OTEL_EXPORTER_OTLP_TIMEOUT=5s",
        "OTEL_EXPORTER_OTLP_TIMEOUT: telemetry.exporters.a.attempt-time-max-ms: is ignored: "
        + "must be a whole number from 1 to 600000, not \"5s\"",
        "attempt-time-max-ms: 5000")]
    [InlineData(
        "OTEL_SDK_DISABLED=1", "OTEL_SDK_DISABLED: is ignored: must be true or false, not \"1\"", "type: otlp")]
    [InlineData(
        "OTEL_RESOURCE_ATTRIBUTES=service.name=shop,oops",
        "OTEL_RESOURCE_ATTRIBUTES: is ignored in part: must be name=value,name=value, "
        + "with %25 for a % and %2C for a comma in a value",
        "name: shop")]
    public void What_cannot_be_used_is_ignored_with_a_warning(string variables, string warning, string printed)
    {
        const string yaml =
            "telemetry: { trace-probability: 0.5, exporters: { a: { type: OTLP, protocol: grpc } } }";
        Assert.Equal($"environment {warning}", Assert.Single(Read(yaml, variables).Warnings));
        Assert.Contains(Print(yaml, variables), line => line.Split("  # ")[0].Trim() == printed);
    }

    [Fact]
    public async Task A_warning_is_a_line_of_the_log_at_the_start()
    {
        using var files = new LogFiles();
        var (settings, _) = ReadAll($"service: {{ port: 0 }}\n{files.Yaml}", "OTEL_SDK_DISABLED=yes");
        await using (await TodoListHost.StartAsync(settings, Program.Application(), CancellationToken.None))
        {
            // Logs are written out when it stops.
        }
        var line = files.Read("brief").First(line => line.Contains("CONFIGURATION", StringComparison.Ordinal));
        Assert.Contains(
            "WARNING : message=\"CONFIGURATION\" reason=\"environment OTEL_SDK_DISABLED: is ignored: "
            + "must be true or false, not \\\"yes\\\"\"",
            line,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("OTEL_RESOURCE_ATTRIBUTES=a=b,service.name=my%20shop", "my shop")]
    [InlineData("OTEL_RESOURCE_ATTRIBUTES=service.name=shop OTEL_SERVICE_NAME=mine", "mine")]
    [InlineData("OTEL_RESOURCE_ATTRIBUTES=service.name=shop OTEL_SERVICE_NAME=", "shop")]
    [InlineData("OTEL_RESOURCE_ATTRIBUTES=service.name= OTEL_SERVICE_NAME=", "file")]
    [InlineData("OTEL_RESOURCE_ATTRIBUTES=a=service.name", "file")]
    public void The_name_of_the_service_may_be_an_attribute_of_the_resource(string variables, string name) =>
        Assert.Equal(name, Read("service: { name: file }", variables).Service.Name);

    [Theory]
    [InlineData("secret")]
    [InlineData("secret,key=secret")]
    [InlineData("=secret")]
    [InlineData("key=secret%2")]
    [InlineData("key=secret%zz")]
    [InlineData("bad(key=secret")]
    [InlineData("bad%20key=secret")]
    [InlineData("key=secret%0Asecret")]
    [InlineData("key=secr%C3%A9t")]
    [InlineData("Content-Type=secret")]
    public void Malformed_headers_are_a_problem_that_names_the_setting_and_shows_no_value(string headers)
    {
        foreach (var signal in new[] { "", "TRACES_", "METRICS_" })
        {
            var variable = $"OTEL_EXPORTER_OTLP_{signal}HEADERS";
            var error = Assert.Throws<ConfigException>(() => Read(Exporter, $"{variable}={headers}"));
            var setting = $"{signal.ToLowerInvariant().Replace('_', '.')}headers";
            Assert.StartsWith(
                $"environment {variable}: telemetry.exporters.a.{setting}: ",
                Assert.Single(error.Problems),
                StringComparison.Ordinal);
            Assert.DoesNotContain("secr", error.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=localhost:4318",
        "environment OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: telemetry.exporters.a.traces.endpoint: "
        + "must be a URL such as http://localhost:4318")]
    public void What_is_wrong_is_said_with_the_name_of_the_variable(string variables, string problem)
    {
        var error = Assert.Throws<ConfigException>(() => Read(Exporter, variables));
        Assert.Equal(problem, Assert.Single(error.Problems));
    }

    [Fact]
    public async Task The_program_itself_obeys_them()
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        using var directory = new TemporaryDirectory();
        await File.WriteAllTextAsync(
            directory.File("config.yaml"),
            """
            service: { address: 127.0.0.1, port: 0 }
            task-db: { memory: }
            telemetry: { exporters: { a: { type: otlp, batch-delay-max-ms: 1 } } }
            """);
        using var service = ServiceProcess.StartShell(
            directory.Path,
            $"OTEL_EXPORTER_OTLP_ENDPOINT={receiver.HttpEndpoint} OTEL_EXPORTER_OTLP_HEADERS=api-key=k%2C%20l,b=c, "
            + "OTEL_SERVICE_NAME=shop OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=test,service.version=7 "
            + "OTEL_TRACES_SAMPLER=always_on exec \"$SERVICE\" -c config.yaml");
        using var client = await service.ClientAsync();
        using var answer = await client.GetAsync(new Uri("/tasks/none", UriKind.Relative));
        var span = (await receiver.SpansAsync(2))[0];
        Assert.Equal("shop", span.Resource["service.name"]);
        Assert.Equal("test", span.Resource["deployment.environment.name"]);
        Assert.Equal("7", span.Resource["service.version"]);
        Assert.All(receiver.Headers, headers => Assert.Equal("k, l", headers["api-key"]));
    }

    [Theory]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT")]
    [InlineData("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")]
    [InlineData("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")]
    [InlineData("OTEL_EXPORTER_OTLP_HEADERS")]
    [InlineData("OTEL_EXPORTER_OTLP_TRACES_HEADERS")]
    [InlineData("OTEL_EXPORTER_OTLP_METRICS_HEADERS")]
    [InlineData("OTEL_EXPORTER_OTLP_PROTOCOL")]
    public void No_variable_of_OpenTelemetry_shows_a_secret(string variable) => Assert.All(
        SecretTests.Urls.Concat(SecretTests.Secrets),
        value => Assert.DoesNotContain(
            SecretTests.Canary, SecretTests.Show($"{SecretTests.All} {{ memory: }}", (variable, value))));

    private static Settings Read(string yaml, string variables) => ReadAll(yaml, variables).Settings;

    private static string[] Print(string yaml, string variables)
    {
        using var output = new StringWriter();
        ReadAll(yaml, variables).Source.Print(output);
        return output.ToString().Split('\n');
    }

    private static (Settings Settings, ConfigSection Source) ReadAll(string yaml, string variables) => Settings.Read(
        "test.yaml",
        $"task-db: {{ memory: }}\n{yaml}",
        variables.Split(' ').Select(variable => variable.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]),
        new CommandLineOptions());
}
