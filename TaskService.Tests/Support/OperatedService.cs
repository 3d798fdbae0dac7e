using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;

namespace TaskService.Tests.Support;

/// <summary>The service in this process with its endpoints for operators, and an operator of it.</summary>
internal sealed class OperatedService : IAsyncDisposable
{
    public const string Secret = "an operator's secret";

    private readonly RunningService service;
    private readonly HttpClient client;

    private OperatedService(RunningService service)
    {
        this.service = service;
        client = new HttpClient
        {
            BaseAddress = new Uri($"http://127.0.0.1:{service.Port}/ops/"),
            Timeout = Until.Limit,
        };
        client.DefaultRequestHeaders.Add("X-API-Key", Secret);
    }

    /// <summary>Of those who use the service.</summary>
    public HttpClient Users => service.Client;

    public int Port => service.Port;

    /// <param name="logging">The section; null for none of it.</param>
    /// <param name="setup">Adds or replaces services.</param>
    /// <param name="taskDb">The member of the section <c>task-db</c>.</param>
    public static async Task<OperatedService> StartAsync(
        string? logging = null, Action<WebApplicationBuilder>? setup = null, string taskDb = "memory:") =>
        new(await RunningService.StartAsync(taskDb, setup: setup, logging: $$"""
            {{logging ?? "logging: { handlers: { console: { type: console, level: none } } }"}}
            operations: { secret: "{{Secret}}" }
            """));

    /// <summary>Sends a request of the operator.</summary>
    /// <param name="method">Of HTTP.</param>
    /// <param name="path">Below the base path.</param>
    /// <param name="headers">More of them.</param>
    public async Task<HttpResponseMessage> SendAsync(
        string method, string path, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(path, UriKind.Relative));
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }
        return await client.SendAsync(request);
    }

    /// <summary>Sends a request of the operator, which succeeds.</summary>
    /// <returns>The JSON of the response.</returns>
    public async Task<JsonElement> JsonAsync(string method, string path)
    {
        using var response = await SendAsync(method, path);
        var body = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, $"{response.StatusCode}: {body}");
        return JsonElement.Parse(body);
    }

    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        await service.DisposeAsync();
    }
}
