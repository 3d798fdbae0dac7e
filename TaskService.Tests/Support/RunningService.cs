using System.Net.Http.Headers;
using System.Text;
using Microsoft.AspNetCore.Builder;
using TaskService.Configuration;
using TaskService.Hosting;

namespace TaskService.Tests.Support;

/// <summary>
/// The service in this process, on a free port, as a client meets it. Quiet, unless a test asks for logs.
/// </summary>
internal sealed class RunningService : IAsyncDisposable
{
    private readonly TodoListHost host;
    private readonly LogFiles? files;
    private TemporaryDirectory? directory;

    private RunningService(TodoListHost host, LogFiles? files)
    {
        (this.host, this.files) = (host, files);
        Client = new HttpClient(new ContractHandler())
        {
            BaseAddress = new Uri($"http://127.0.0.1:{host.Port}"),
            Timeout = Until.Limit,
        };
    }

    /// <summary>Engines that need no server, for <see cref="StartOnAsync"/>.</summary>
    public static TheoryData<string> Engines =>
    [
        "memory",
        "fs",
        "sqlite",
    ];

    public HttpClient Client { get; }

    public int Port => host.Port;

    public static async Task<RunningService> StartAsync(
        string taskDb = "memory:", string? logging = null, string service = "", string http = "", bool debug = false,
        Action<WebApplicationBuilder>? setup = null, Func<OtherSections, OtherSections>? sections = null,
        string operations = "")
    {
        // What is logged when a test does not care: nothing, unless it is to be shown.
        var files = logging is null && TestLog.Level is { } level ? new LogFiles(level) : null;
        var yaml = $$"""
            service: { address: 127.0.0.1, port: 0, {{service}} }
            http: { {{http}} }
            task-db: { {{taskDb}} }
            {{(operations.Length == 0 ? "" : $"operations: {{ {operations} }}")}}
            {{logging ?? files?.Yaml ?? "logging: { handlers: { console: { type: console, level: none } } }"}}
            """;
        var (settings, _) = Settings.Read(
            "test.yaml",
            yaml,
            new Dictionary<string, string>(),
            new CommandLineOptions(Debug: debug),
            sections ?? Program.AddSections);
        return new RunningService(
            await TodoListHost.StartAsync(settings, Program.Application(setup), CancellationToken.None), files);
    }

    /// <summary>On an engine by its name; files go to a directory that is removed with the service.</summary>
    public static async Task<RunningService> StartOnAsync(string engine)
    {
        if (engine == "memory")
        {
            return await StartAsync();
        }
        var directory = new TemporaryDirectory();
        var service = await StartAsync($"{engine}: '{directory.File("tasks")}'");
        service.directory = directory;
        return service;
    }

    /// <summary>A client for operators, whose endpoints are not in the document of the API.</summary>
    public HttpClient Operator(string? secret = null)
    {
        var client = new HttpClient { BaseAddress = Client.BaseAddress, Timeout = Until.Limit };
        client.DefaultRequestHeaders.Add("X-API-Key", secret is null ? [] : [secret]);
        return client;
    }

    public static StringContent Json(string text) => new(text, Encoding.UTF8, "application/json");

    public static ByteArrayContent Bytes(byte[] bytes)
    {
        var content = new ByteArrayContent(bytes);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return content;
    }

    /// <summary>Creates a task.</summary>
    /// <returns>Its path.</returns>
    public async Task<string> CreateAsync(string json)
    {
        using var response = await Client.PostAsync(new Uri("/tasks", UriKind.Relative), Json(json));
        Assert.Equal(System.Net.HttpStatusCode.Created, response.StatusCode);
        return response.Headers.Location!.OriginalString;
    }

    public Task<HttpResponseMessage> SendAsync(
        string method, string path, HttpContent? content = null, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(new HttpMethod(method), new Uri(path, UriKind.Relative))
        {
            Content = content,
        };
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }
        return Client.SendAsync(request);
    }

    /// <summary>Sends bytes as they are and reads until the server closes the connection.</summary>
    public Task<string> SendRawAsync(string request) => SendRawAsync(Encoding.Latin1.GetBytes(request));

    /// <inheritdoc cref="SendRawAsync(string)"/>
    public async Task<string> SendRawAsync(byte[] request)
    {
        using var client = new System.Net.Sockets.TcpClient();
        await client.ConnectAsync("127.0.0.1", Port);
        var stream = client.GetStream();
        await stream.WriteAsync(request);
        using var reader = new StreamReader(stream, Encoding.Latin1);
        return await reader.ReadToEndAsync();
    }

    /// <returns>Why it failed; null when it did not.</returns>
    public Task<string?> StopAsync() => host.StopAsync();

    /// <summary>Completes when something within has stopped it.</summary>
    public Task ApplicationStoppingAsync() => host.ApplicationStoppingAsync();

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await host.DisposeAsync();
        files?.Dispose();
        directory?.Dispose();
    }
}
