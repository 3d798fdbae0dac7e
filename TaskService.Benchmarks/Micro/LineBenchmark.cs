using System.Net;
using BenchmarkDotNet.Attributes;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using TaskService.Http;
using TaskService.Telemetry.Logging;
using TaskService.Telemetry.Operations;

namespace TaskService.Benchmarks.Micro;

/// <summary>The canonical line of a request, from what is known of it to the buffer of its file.</summary>
[MemoryDiagnoser]
public class LineBenchmark
{
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("bench-");
    private readonly DefaultHttpContext http = new();
    private readonly Operation operation =
        OperationSource.Off.StartRequest("0123456789abcdef0123456789abcdef", null);
    private readonly RequestTarget target = RequestTarget.Parse("/tasks/019f0000000070008000000000000001");
    private LogSystem logs = null!;
    private ServiceProvider services = null!;
    private RequestLog log = null!;

    [ParamsAllValues]
    public LogFormatKind Format { get; set; }

    [GlobalSetup]
    public void Open()
    {
        var file = new LogFileSettings(Path.Combine(directory.FullName, "lines.log"), 100 * 1024 * 1024, 1);
        var handler = new LogHandlerSettings(LogLevel.Information, new LogFormatSettings(Format), file);
        logs = new LogSystem(new LogSettings(
            new Dictionary<string, LogHandlerSettings> { ["file"] = handler },
            new Dictionary<string, LoggerSettings>(),
            new LoggerSettings(LogLevel.Information, ["file"], Propagate: false)));
        services = new ServiceCollection()
            .AddLogging(logging => logging.AddProvider(logs))
            .BuildServiceProvider();
        log = new RequestLog(services.GetRequiredService<ILoggerFactory>().CreateLogger("taskservice"), "TodoList");
        http.Request.Method = "GET";
        http.Connection.RemoteIpAddress = IPAddress.Loopback;
        http.Request.Headers.UserAgent = "curl/8.5.0";
    }

    [Benchmark]
    public void Response() => log.Response(http, operation, target, new RequestOutcome(
        200, "/tasks/{id}", null, 162, TimeSpan.FromMicroseconds(123), null));

    [GlobalCleanup]
    public void Close()
    {
        services.Dispose();
        logs.Dispose();
        directory.Delete(recursive: true);
    }
}
