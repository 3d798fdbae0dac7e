using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Connections;

namespace TaskService.Http;

/// <summary>
/// What the server refuses on HTTP/2 before it is a request: it resets the stream or ends the connection, and nothing
/// but its own log says why, at debug. This is a provider of that log alone, whatever the levels of the others are.
/// </summary>
internal sealed class RefusedStreams : ILoggerProvider, ILogger
{
    private const string Category = "Microsoft.AspNetCore.Server.Kestrel.Http2";

    // The log has no addresses, but the ids of connections, with which the ids of streams begin.
    private readonly ConcurrentDictionary<string, IPAddress?> addresses = new(StringComparer.Ordinal);
    private RefusedRequests? refused;

    /// <summary>To be called before the server's endpoints are configured.</summary>
    public static void AddTo(WebApplicationBuilder builder)
    {
        var streams = new RefusedStreams();
        builder.Services.AddSingleton(streams);
        builder.Services.Configure<LoggerFilterOptions>(options =>
        {
            var provider = typeof(RefusedStreams).FullName;
            options.Rules.Add(new LoggerFilterRule(provider, null, LogLevel.None, null));
            options.Rules.Add(new LoggerFilterRule(provider, Category, LogLevel.Debug, null));
        });
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ConfigureEndpointDefaults(
            listen => listen.Use(next => connection => streams.ServeAsync(next, connection))));
    }

    public void Watch(ILoggerFactory loggers, RefusedRequests requests)
    {
        refused = requests;
        loggers.AddProvider(this);
    }

    public ILogger CreateLogger(string categoryName) => this;

    public bool IsEnabled(LogLevel logLevel) => true;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public void Log<TState>(
        LogLevel logLevel,
        EventId eventId,
        TState state,
        Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        if (state is not IReadOnlyList<KeyValuePair<string, object?>> values || exception is null)
        {
            return;
        }
        var connection = eventId.Name switch
        {
            // The other code is that of requests which our code gives up; they have their own line.
            "Http2StreamResetAbort" when ValueOf(values, "error") == "PROTOCOL_ERROR" =>
                ValueOf(values, "TraceIdentifier").Split(':')[0],
            "Http2StreamError" or "Http2ConnectionError" or "HPackDecodingError" => ValueOf(values, "ConnectionId"),
            _ => null,
        };
        if (connection is not null)
        {
            refused?.Refuse(
                addresses.GetValueOrDefault(connection), exception.Message, StatusOf(exception.Message), "HTTP/2");
        }
    }

    public void Dispose()
    {
        // With the server.
    }

    private async Task ServeAsync(ConnectionDelegate next, ConnectionContext connection)
    {
        addresses[connection.ConnectionId] = (connection.RemoteEndPoint as IPEndPoint)?.Address;
        try
        {
            await next(connection);
        }
        finally
        {
            addresses.TryRemove(connection.ConnectionId, out _);
        }
    }

    private static string ValueOf(IReadOnlyList<KeyValuePair<string, object?>> values, string name) =>
        $"{values.FirstOrDefault(value => value.Key == name).Value}";

    /// <summary>The status that HTTP/1.1 has for it. Only the text says which limit was met.</summary>
    private static int StatusOf(string reason) =>
        reason.Contains("line too long", StringComparison.Ordinal) ? StatusCodes.Status414UriTooLong
        : reason.Contains("headers too long", StringComparison.Ordinal)
            || reason.Contains("too many headers", StringComparison.Ordinal)
            ? StatusCodes.Status431RequestHeaderFieldsTooLarge
        : StatusCodes.Status400BadRequest;
}
