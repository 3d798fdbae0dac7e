using System.ComponentModel;
using Npgsql;
using TaskService.Tests.Configuration;

namespace TaskService.Tests.Storage.Postgres;

/// <summary>A canary in every part of a connection string.</summary>
public sealed class ConnectionSecretTests
{
    [Fact]
    public void No_keyword_of_a_connection_string_shows_what_is_no_name_or_place()
    {
        string[] shown =
        [
            "Host", "Database", "Username", "Application Name", "Search Path", "Passfile", "Root Certificate",
            "SSL Certificate", "SSL Key",
        ];
        var all = TypeDescriptor.GetProperties(typeof(NpgsqlConnectionStringBuilder))
            .Cast<PropertyDescriptor>()
            .Select(property => property.DisplayName)
            .Where(name => new NpgsqlConnectionStringBuilder().ContainsKey(name))
            .ToList();
        Assert.Superset(shown.ToHashSet(), all.ToHashSet());
        Assert.All(all.Except(shown), keyword => Assert.DoesNotContain(
            SecretTests.Canary,
            SecretTests.Show(
                $"{SecretTests.All} {{ postgres: {{ primary: '${{P}}' }} }}",
                ("P", $"Host=h;{keyword}={SecretTests.Canary}"))));
    }
}
