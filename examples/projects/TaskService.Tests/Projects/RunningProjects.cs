using System.Net;
using System.Text.Json;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using TaskService.Projects;
using TaskService.Tests.Support;

namespace TaskService.Tests.Projects;

/// <summary>The service, for a client that may use projects.</summary>
internal static class RunningProjects
{
    /// <param name="taskDb">Of the configuration.</param>
    /// <param name="time">Of the service; null for the system's.</param>
    public static async Task<RunningService> StartAsync(string taskDb = "memory:", TimeProvider? time = null)
    {
        var service = await RunningService.StartAsync(taskDb, setup: builder =>
        {
            builder.Configuration.AddInMemoryCollection([new(ProjectAccess.TokenKey, "secret")]);
            builder.Services.AddSingleton(time ?? TimeProvider.System);
        });
        service.Client.DefaultRequestHeaders.Authorization = new("Bearer", "secret");
        return service;
    }

    /// <summary>Creates a project or a milestone.</summary>
    /// <returns>Its path.</returns>
    public static async Task<string> CreateAsync(this RunningService service, string path, string json)
    {
        using var response = await service.SendAsync("POST", path, RunningService.Json(json));
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        return response.Headers.Location!.OriginalString;
    }

    /// <summary>Sends a request.</summary>
    /// <returns>The status and the message of a problem, such as <c>404 Project 'x' does not exist</c>.</returns>
    public static async Task<string> StatusAsync(
        this RunningService service, string method, string path, string? json = null,
        params (string Name, string Value)[] headers)
    {
        using var content = json is null ? null : RunningService.Json(json);
        using var response = await service.SendAsync(method, path, content, headers);
        var body = await response.Content.ReadAsStringAsync();
        var message = response.IsSuccessStatusCode || body.Length == 0
            ? "" : $" {JsonElement.Parse(body).GetProperty("message").GetString()}";
        return $"{(int)response.StatusCode}{message}";
    }

    public static Task<string> ReadAsync(this RunningService service, string path) =>
        service.Client.GetStringAsync(new Uri(path, UriKind.Relative));
}
