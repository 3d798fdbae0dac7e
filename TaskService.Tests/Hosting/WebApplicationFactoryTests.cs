using System.Net;
using System.Net.Http.Json;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Time.Testing;
using TaskService.Tests.Support;

namespace TaskService.Tests.Hosting;

/// <summary>The test host of ASP.NET Core, as its documentation shows it.</summary>
public sealed class WebApplicationFactoryTests : IClassFixture<WebApplicationFactory<Program>>, IAsyncLifetime
{
    private static readonly DateTimeOffset SomeDay = new(2040, 5, 6, 7, 8, 9, TimeSpan.Zero);

    private readonly TemporaryDirectory directory = new();
    private readonly WebApplicationFactory<Program> factory;

    public WebApplicationFactoryTests(WebApplicationFactory<Program> factory) =>
        this.factory = factory.WithWebHostBuilder(builder =>
        {
            builder.UseSetting("task-db:fs", directory.File("tasks"));
            builder.UseSetting("service:address", "127.0.0.1");
            builder.UseSetting("service:port", "0");
            builder.UseSetting("logging:handlers:console:level", "none");
            builder.UseSetting("logging:handlers:file:path", directory.File("log"));
            builder.ConfigureTestServices(
                services => services.AddSingleton<TimeProvider>(new FakeTimeProvider(SomeDay)));
        });

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await factory.DisposeAsync();
        // The factory does not wait for the end of the program.
        await LineAsync("STOPPED");
        directory.Dispose();
    }

    [Fact]
    public async Task A_client_of_the_factory_is_answered_by_the_whole_pipeline_with_the_services_of_the_test()
    {
        using var client = factory.CreateClient();
        using var created = await client.PostAsJsonAsync(new Uri("/tasks", UriKind.Relative), new { title = "a" });
        Assert.Equal(HttpStatusCode.Created, created.StatusCode);
        var id = created.Headers.Location!.OriginalString["/tasks/".Length..];
        Assert.Equal(SomeDay.ToUnixTimeMilliseconds(), Convert.ToInt64(id[..12], 16));
        using var read = await client.GetAsync(created.Headers.Location);
        Assert.Equal(HttpStatusCode.OK, read.StatusCode);
        using var nowhere = await client.GetAsync(new Uri("/Tasks", UriKind.Relative));
        await ErrorBody.AssertAsync(nowhere, 404, "Unknown Endpoint", "GET", "/Tasks");
        Assert.Single(Directory.GetFiles(directory.File("tasks"), "*.json"));
        // The factory does not wait either for what the program does once it has started.
        await LineAsync("STARTING");
    }

    [Fact]
    public async Task It_listens_when_the_factory_is_to_use_Kestrel()
    {
        factory.UseKestrel(0);
        factory.StartServer();
        using var client = factory.CreateClient();
        using var ready = await client.GetAsync(new Uri("/health/ready", UriKind.Relative));
        Assert.Equal(HttpStatusCode.OK, ready.StatusCode);
        Assert.Equal("Development", factory.Services.GetRequiredService<IHostEnvironment>().EnvironmentName);
    }

    private Task LineAsync(string message) => Until.TrueAsync(
        () => LogFiles.WholeLines(directory.File("log")).Any(line => line.Contains(message, StringComparison.Ordinal)),
        message);
}
