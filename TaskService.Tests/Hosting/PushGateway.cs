using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace TaskService.Tests.Hosting;

/// <summary>As far as its clients can tell, a push gateway of Prometheus.</summary>
internal sealed class PushGateway : IAsyncDisposable
{
    private readonly WebApplication app;

    private PushGateway(WebApplication app) => this.app = app;

    public string Url => app.Urls.First();

    /// <summary>Method and raw target, and the body of each.</summary>
    public ConcurrentQueue<(string Request, string Body)> Requests { get; } = new();

    /// <param name="status">Of every answer.</param>
    public static async Task<PushGateway> StartAsync(int status = StatusCodes.Status202Accepted)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        var gateway = new PushGateway(builder.Build());
        gateway.app.Run(async http =>
        {
            using var body = new StreamReader(http.Request.Body);
            var target = http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
            gateway.Requests.Enqueue(($"{http.Request.Method} {target}", await body.ReadToEndAsync()));
            http.Response.StatusCode = status;
        });
        await gateway.app.StartAsync();
        return gateway;
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();
}
