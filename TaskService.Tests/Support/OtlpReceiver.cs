using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;

namespace TaskService.Tests.Support;

/// <summary>Receives OTLP by HTTP and by gRPC, and answers as it is told.</summary>
internal sealed class OtlpReceiver : IAsyncDisposable
{
    private readonly ConcurrentQueue<(string Path, byte[] Body, IHeaderDictionary Headers)> requests = new();
    private readonly ConcurrentQueue<(string Path, DateTime Time)> arrivals = new();
    private readonly ConcurrentQueue<string> givenUp = new();
    private readonly WebApplication app;

    private OtlpReceiver()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http1);
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2);
        });
        app = builder.Build();
        app.Run(ReceiveAsync);
    }

    /// <summary>
    /// The status of each answer, in turn; then <see cref="AnswerAlways"/>. To gRPC, those below 100 are its own, and
    /// all others but 200 are 14, unavailable.
    /// </summary>
    public ConcurrentQueue<int> Answers { get; } = new();

    public int AnswerAlways { get; set; } = StatusCodes.Status200OK;

    /// <summary>Headers of each answer that is not 200; to gRPC, trailers.</summary>
    public IHeaderDictionary FailureHeaders { get; } = new HeaderDictionary();

    /// <summary>To gRPC, a failure is an answer of headers alone, as most servers send it.</summary>
    public bool FailsByHeadersAlone { get; set; }

    /// <summary>All requests wait for it before they are answered.</summary>
    public Task Gate { get; set; } = Task.CompletedTask;

    public Uri HttpEndpoint { get; private set; } = null!;

    public Uri GrpcEndpoint { get; private set; } = null!;

    public int Requests => requests.Count;

    /// <summary>When requests for spans came, answered with 200 or not.</summary>
    public List<DateTime> SpansArrivals =>
        [.. arrivals.Where(one => one.Path.Contains("trace", StringComparison.Ordinal)).Select(one => one.Time)];

    /// <summary>The paths of requests whose clients did not wait for the answer.</summary>
    public IEnumerable<string> GivenUp => givenUp;

    public IEnumerable<IHeaderDictionary> Headers => requests.Select(request => request.Headers);

    public static async Task<OtlpReceiver> StartAsync()
    {
        var receiver = new OtlpReceiver();
        await receiver.app.StartAsync();
        var addresses = receiver.app.Urls.Select(url => new Uri(url)).ToArray();
        (receiver.HttpEndpoint, receiver.GrpcEndpoint) = (addresses[0], addresses[1]);
        return receiver;
    }

    /// <summary>Waits until so many spans have come.</summary>
    public async Task<List<OtlpSpan>> SpansAsync(int count)
    {
        var spans = await Until.ResultAsync(
            () => Spans() is var found && found.Count >= count ? found : null, $"{count} spans");
        Assert.Equal(count, spans.Count);
        return spans;
    }

    /// <summary>Waits for a data point.</summary>
    public Task<OtlpPoint> PointAsync(string metric, Predicate<OtlpPoint> isIt) => Until.ResultAsync(
        () => requests.Where(request => request.Path.Contains("metrics", StringComparison.Ordinal))
            .SelectMany(request => OtlpPayload.Points(request.Body))
            .LastOrDefault(point => point.Metric == metric && isIt(point)),
        metric);

    /// <summary>All so far, but for what other services of this process do outside of any request.</summary>
    public List<OtlpSpan> Spans() =>
    [
        .. requests.Where(request => request.Path.Contains("trace", StringComparison.Ordinal))
            .SelectMany(request => OtlpPayload.Spans(request.Body))
            .Where(span => span.Kind != 1 || span.ParentId.Length > 0),
    ];

    public async ValueTask DisposeAsync() => await app.DisposeAsync();

    private async Task ReceiveAsync(HttpContext http)
    {
        string path = http.Request.Path;
        arrivals.Enqueue((path, DateTime.UtcNow));
        using var given = http.RequestAborted.Register(() => givenUp.Enqueue(path));
        using var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body);
        await Gate;
        var isGrpc = http.Request.ContentType == "application/grpc";
        var status = Answers.TryDequeue(out var answer) ? answer : AnswerAlways;
        if (status == StatusCodes.Status200OK)
        {
            var bytes = body.ToArray();
            var headers = new HeaderDictionary(http.Request.Headers.ToDictionary());
            requests.Enqueue((path, isGrpc ? Unframed(bytes) : bytes, headers));
        }
        if (isGrpc)
        {
            await AnswerGrpcAsync(http.Response, status);
            return;
        }
        http.Response.StatusCode = status;
        if (status != StatusCodes.Status200OK)
        {
            AddFailureHeaders(http.Response.Headers.Append);
        }
    }

    private async Task AnswerGrpcAsync(HttpResponse response, int status)
    {
        response.ContentType = "application/grpc";
        if (status == StatusCodes.Status200OK)
        {
            // An empty message and that all is well.
            await response.Body.WriteAsync(new byte[5]);
            response.AppendTrailer("grpc-status", "0");
            return;
        }
        Action<string, StringValues> add = FailsByHeadersAlone ? response.Headers.Append : response.AppendTrailer;
        if (!FailsByHeadersAlone)
        {
            await response.Body.WriteAsync(new byte[5]);
        }
        add("grpc-status", status < 100 ? $"{status}" : "14");
        AddFailureHeaders(add);
    }

    private void AddFailureHeaders(Action<string, StringValues> add)
    {
        foreach (var (name, value) in FailureHeaders)
        {
            add(name, value);
        }
    }

    // A message of gRPC: whether it is compressed, its length, itself.
    private static byte[] Unframed(byte[] body)
    {
        Assert.Equal(0, body[0]);
        Assert.Equal(body.Length - 5, (int)BinaryPrimitives.ReadUInt32BigEndian(body.AsSpan(1)));
        return body[5..];
    }
}
